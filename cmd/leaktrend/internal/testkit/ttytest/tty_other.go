//go:build !linux

package ttytest

import (
	"errors"
	"os"
	"testing"
)

func open(t testing.TB) (control, file *os.File) {
	t.Skip("pseudo-terminals are opened on Linux only")
	return nil, nil
}

func resize(*os.File, int, int) error { return errors.ErrUnsupported }
