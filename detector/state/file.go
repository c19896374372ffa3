package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector/state/filelock"
)

// Suffix ends the name of a state file.
const Suffix = ".state"

const (
	lockSuffix  = ".lock"
	asideSuffix = ".unusable" // the latest state that could not be used
	tempSuffix  = ".new"
	maxName     = 48 // characters of a name in the name of a file
)

// Key says which process a state is of. Two processes of one executable are told apart by the instance.
type Key struct {
	Executable string // as in "worker"
	Instance   string // as in the name of the host
}

// FileName returns the name of the state file: readable, and another one for every key.
func (k Key) FileName() string {
	hash := sha256.Sum256(fmt.Appendf(nil, "%q %q", k.Executable, k.Instance))
	return plain(k.Executable) + "@" + plain(k.Instance) + "-" + hex.EncodeToString(hash[:4]) + Suffix
}

// plain returns a name that every file system takes.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.' &&
			name[0] != '.':
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), maxName)]
}

// File is the state file of one process, which nobody else writes while it is open.
type File struct {
	path string
	key  Key
	lock *os.File
	// leftOut is how many alerts there was no room for when it was written.
	leftOut int
}

// Open locks the state file of a process in a directory, which it makes where there is none, and reads it. Saved is nil
// where there is no state yet, or none that can be used: then unusable says why, and the file was moved aside, to the
// same name with ".unusable" behind it. The error wraps filelock.ErrLocked where another process has the file.
func Open(dir string, key Key, now time.Time) (f *File, saved *Saved, unusable, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, nil, err
	}
	f = &File{path: filepath.Join(dir, key.FileName()), key: key}
	if f.lock, err = lock(f.path + lockSuffix); err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", f.path, err)
	}
	if saved, unusable, err = f.read(now); err != nil {
		return nil, nil, nil, errors.Join(err, f.Close())
	}
	return f, saved, unusable, nil
}

// maxLockTries is how often a file to lock is opened that others remove meanwhile. Some file systems do not tell a file
// from another.
const maxLockTries = 20

// lock makes and locks a file beside the state, which is another file each time that it is written.
func lock(path string) (*os.File, error) {
	for tries := 1; ; tries++ {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := filelock.Lock(file); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		// Whoever had it locked removed it then, perhaps after it was opened here: then it keeps nobody out.
		if isAt(file, path) || tries == maxLockTries {
			return file, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether an open file is the one of a path.
func isAt(file *os.File, path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	mine, err := file.Stat()
	return err == nil && os.SameFile(there, mine)
}

// Path returns where the state is.
func (f *File) Path() string { return f.path }

func (f *File) read(now time.Time) (saved *Saved, unusable, err error) {
	s, fault := Read(f.path)
	switch {
	case errors.Is(fault, fs.ErrNotExist):
		return nil, nil, nil
	case fault == nil:
		if fault = s.of(f.key, now); fault == nil {
			return &s, nil, nil
		}
		fault = fmt.Errorf("%s: %w", f.path, fault)
	case !isOurs(fault):
		return nil, nil, fault // it may be readable later
	}
	if err := f.MoveAside(); err != nil {
		return nil, nil, errors.Join(fault, err)
	}
	return nil, fault, nil
}

// MoveAside moves a state that cannot be used to the same name with ".unusable" behind it, in the place of the one that
// is there.
func (f *File) MoveAside() error { return os.Rename(f.path, f.path+asideSuffix) }

// isOurs reports whether an error is about what a file holds.
func isOurs(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) || errors.Is(err, ErrTooLarge)
}

// Read returns what a state file holds, whoever has it open.
func Read(path string) (Saved, error) {
	file, err := os.Open(path)
	if err != nil {
		return Saved{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxBytes+1))
	if err != nil {
		return Saved{}, err
	}
	s, err := Decode(text)
	if err != nil {
		return Saved{}, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Write replaces the state by the record and the alerts of another one: whoever reads it finds the one from before or
// this one, also after the power went. What there was no room for is in LeftOut.
func (f *File) Write(s Saved, now time.Time) error {
	s.Executable, s.Instance, s.Written = f.key.Executable, f.key.Instance, now.UTC().Round(0)
	s, text, err := s.fitted()
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	temp := f.path + tempSuffix // one, whatever was left of the one before: nobody else writes it
	err = writeSynced(temp, text)
	if err == nil {
		err = os.Rename(temp, f.path)
	}
	if err != nil {
		_ = os.Remove(temp) // which may not be there
		return err
	}
	syncDir(filepath.Dir(f.path))
	f.leftOut = s.AlertsLeftOut
	return nil
}

// LeftOut returns for how many alerts there was no room in what was written last.
func (f *File) LeftOut() int { return f.leftOut }

func writeSynced(path string, text []byte) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // and through no link of somebody else's
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// Close gives the file to others.
func (f *File) Close() error {
	if isAt(f.lock, f.lock.Name()) { // and locked, so that it is nobody else's; some systems keep what is open
		_ = os.Remove(f.lock.Name())
	}
	return f.lock.Close()
}
