package outside

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/outside/internal/goruntime"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/objfile"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/procmem"
	"github.com/mdzesseis/leaktrend/sampler/outside/internal/releases"
)

// nothing is a memory of which nothing can be read.
type nothing struct{}

func (nothing) Gather([]procmem.Part) {}

func TestUnknown(t *testing.T) {
	needsRow(t)
	file, err := os.Open(buildProgram(t, stripped))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, err = goruntime.New(nothing{}, file, 0, "go1.99.1\x1b[2J")
	if err == nil || !strings.Contains(err.Error(), "its release go1.99.1\ufffd[2J for ") ||
		!strings.Contains(err.Error(), "no debug information") {
		t.Errorf("unknown release: %v", err)
	}
	row := needsRow(t)
	if _, err := goruntime.New(nothing{}, file, 0, row); !errors.Is(err, releases.ErrNoModule) {
		t.Errorf("unreadable memory: %v", err)
	}
	if _, err := goruntime.New(nothing{}, strings.NewReader("#!/bin/sh\n"), 0, row); !errors.Is(err,
		objfile.ErrNotELF) {
		t.Errorf("a script: %v", err)
	}
}
