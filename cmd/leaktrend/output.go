package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writable says why a file cannot be written, before an hour is spent on what to write: it may be days of somebody's samples. "" is no file.
func writable(path string, force bool) error {
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
