// Package record samples a source into a recording until it ends, or its time does. How a recording is written down
// stands in sampler/recording; nothing is judged here.
package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/detector/state/filelock"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

// flushEvery is how much of the latest samples a crash may take.
const flushEvery = time.Second

// errLocked says that a file is somebody else's.
var errLocked = errors.New("another leaktrend is recording into it")

// ErrUnsampled tells of a target that was asked for samples and gave none.
var ErrUnsampled = errors.New("nothing was sampled")

// File is a recording that is being written. What was sampled a second ago is on disk. Where that fails, as on a full
// disk, it goes on once there is room again, and notes how many samples are missing. It is safe for concurrent use.
type File struct {
	path  string
	force bool
	log   func(...any)

	mu      sync.Mutex
	lines   *lineFile // nil for standard output
	writer  *recording.Writer
	flushed time.Time
	samples int // that were taken
	lost    int // of these
	problem string
	fully   bool // whether it was said that resources are left out
}

// Create begins a recording in a file, or on standard output with "-". It does not replace a recording unless forced
// to, nor one that another leaktrend is writing. A nil stdout is in use for something else. log reports
// what happens to the file.
func Create(path string, force bool, stdout io.Writer, h recording.Header, log func(...any)) (*File, error) {
	f := &File{path: path, force: force, log: log}
	if path == "-" && stdout == nil {
		return nil, errors.New("-o -: standard output shows the view already, name a file")
	}
	if path == "-" {
		f.writer = recording.NewWriter(stdout, h)
		return f, nil
	}
	if filepath.Ext(path) == ".gz" {
		return nil, fmt.Errorf("-o %s: recordings are written as plain text, so that what was sampled is there at "+
			"any time; pack it afterwards", path)
	}
	if err := output.Writable(path, force); err != nil {
		return nil, err
	}
	lines, err := openLines(path, force)
	if err != nil {
		return nil, err
	}
	f.lines = lines
	f.writer = recording.NewWriter(lines, h)
	return f, nil
}

// Write appends a sample. What goes wrong is said when it changes, and need be no reason to end: the next sample may be
// written again.
func (f *File) Write(s *sampler.Sample) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.samples++
	if err := f.writer.Write(s); err != nil {
		f.lost++
		f.report(err)
		return err
	}
	if n := f.writer.LeftOut(); n > 0 && !f.fully {
		f.fully = true
		f.log(fmt.Sprintf("%s: there are too many resources for a recording; those that came first are recorded "+
			"while they are read, the rest is not", f.path))
	}
	if now := time.Now(); now.Sub(f.flushed) >= flushEvery {
		f.flushed = now
		return f.flush()
	}
	return nil
}

// flush hands on what waits, to the file of this name.
func (f *File) flush() error {
	if f.lines != nil {
		f.follow()
	}
	err := f.writer.Flush()
	f.report(err)
	return err
}

// follow begins anew where the file was deleted, as its directory may be back by now, or emptied.
func (f *File) follow() {
	switch deleted, emptied := f.lines.state(); {
	case emptied:
		f.lost += f.writer.Restart(f.lines)
	case deleted:
		lines, err := openLines(f.path, f.force)
		if err != nil {
			f.lines.failed = fmt.Errorf("it was deleted, and cannot be made anew: %v", innermost(err))
			return
		}
		f.replace(lines)
	}
}

func (f *File) replace(lines *lineFile) {
	_ = f.lines.Close()
	f.lines = lines
	f.lost += f.writer.Restart(lines)
}

// report says what is wrong with the writing when that changes.
func (f *File) report(err error) {
	cause := ""
	if err != nil {
		cause = innermost(err).Error()
	}
	switch before := f.problem; {
	case cause == before:
		return
	case cause == "":
		f.problem = ""
		f.log(fmt.Sprintf("%s: written again; %s", f.path, missing(f.lost)))
	default:
		f.problem = cause
		f.log(fmt.Sprintf("%s: cannot be written: %s; tried again with every sample", f.path, cause))
	}
}

// innermost returns what went wrong without where and in which sample.
func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}

func missing(samples int) string {
	switch samples {
	case 0:
		return "no sample is missing"
	case 1:
		return "1 sample is missing"
	}
	return fmt.Sprintf("%d samples are missing", samples)
}

// Reopen flushes, and goes on in another file where there is none of this name any more, or another: a rotated file is
// left to whoever rotated it.
func (f *File) Reopen() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report(f.writer.Flush())
	if f.lines == nil || f.lines.named() {
		return
	}
	lines, err := openLines(f.path, f.force)
	if err != nil {
		f.log(fmt.Sprintf("%s: not begun anew: %v", f.path, err))
		return
	}
	f.replace(lines)
	f.log(fmt.Sprintf("%s: begun anew", f.path))
}

// Close ends the recording. The error says what is wrong with it.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.writer.Flush()
	if err != nil {
		f.lost += f.writer.Unwritten()
	}
	if f.lines != nil {
		if closed := f.lines.Close(); err == nil {
			err = closed
		}
	}
	switch {
	case err != nil && f.lost > 0:
		return fmt.Errorf("%s: %w: %s", f.path, innermost(err), missing(f.lost))
	case f.lost > 0:
		return fmt.Errorf("%s: %s", f.path, missing(f.lost))
	}
	return err
}

// Samples returns how many samples were recorded, and how many could not be. After Close both are final.
func (f *File) Samples() (recorded, lost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.samples - f.lost, f.lost
}

// LeftOut reports whether readings are missing, as there were too many resources.
func (f *File) LeftOut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fully
}

// lineFile takes whole lines: what a full disk took of one only in part is taken back.
type lineFile struct {
	file    *os.File
	size    int64
	regular bool
	failed  error
}

// openLines opens a file for a recording alone.
func openLines(path string, force bool) (*lineFile, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	l := &lineFile{file: file}
	if err := l.claim(path, force); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// claim makes the file this one's, and empty.
func (l *lineFile) claim(path string, force bool) error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if l.regular = info.Mode().IsRegular(); !l.regular {
		return nil
	}
	if filelock.Lock(l.file) != nil {
		return fmt.Errorf("%s: %w", path, errLocked)
	}
	if info, err = l.file.Stat(); err != nil {
		return err
	}
	switch {
	case info.Size() == 0:
		return nil
	case !force:
		return fmt.Errorf("%s is not empty; --force replaces it", path)
	}
	return l.file.Truncate(0)
}

// Write appends lines, and returns how many bytes of whole ones it took.
func (l *lineFile) Write(p []byte) (n int, err error) {
	if l.failed != nil {
		return 0, l.failed
	}
	if !l.regular {
		return l.file.Write(p)
	}
	n, err = l.file.Write(p)
	if err != nil && n > 0 {
		complete := bytes.LastIndexByte(p[:n], '\n') + 1
		if l.file.Truncate(l.size+int64(complete)) == nil {
			n = complete
		}
	}
	l.size += int64(n)
	return n, err
}

// state reports whether what is written goes nowhere, as the file was deleted, and whether somebody emptied it: then it
// goes on at its end.
func (l *lineFile) state() (deleted, emptied bool) {
	if !l.regular {
		return false, false
	}
	info, err := l.file.Stat()
	if err != nil {
		return false, false
	}
	if info.Size() < l.size {
		l.size, emptied = info.Size(), true
	}
	return unlinked(info), emptied
}

// named reports whether the file is still the one of its name.
func (l *lineFile) named() bool {
	if !l.regular {
		return true
	}
	own, err := l.file.Stat()
	if err != nil {
		return true
	}
	other, err := os.Stat(l.file.Name())
	return err == nil && os.SameFile(own, other)
}

// Close closes the file.
func (l *lineFile) Close() error { return l.file.Close() }
