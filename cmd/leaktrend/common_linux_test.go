package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A configuration that nobody writes does not keep a command from its end.
func TestConfigOfAPipeIsInterrupted(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "config.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer interrupt()
	if _, err := loadConfig(ctx, pipe, io.Discard); !errors.Is(err, errInterrupted) {
		t.Errorf("%v", err)
	}
	// a writer that closes ends what waits for one
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
