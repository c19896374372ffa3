// Package output writes the files that the user names, and replaces what is there only where that is asked for. What
// is in them is for those who call.
package output

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Writable says why a file cannot be written, before an hour is spent on what to write: it may be days of somebody's
// samples. "" is no file.
func Writable(path string, force bool) error {
	switch path {
	case "":
		return nil
	case "-":
		return errors.New("- is no file: the report goes to standard output")
	}
	if info, err := os.Stat(path); err == nil {
		switch {
		case info.IsDir():
			return fmt.Errorf("%s is a directory", path)
		case info.Mode().IsRegular() && info.Size() > 0 && !force:
			return fmt.Errorf("%s is not empty; --force replaces it", path)
		}
	}
	_, err := os.Stat(filepath.Dir(path))
	return err
}

// WriteFile writes a file, in the place of what is there.
func WriteFile(path string, mode fs.FileMode, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
