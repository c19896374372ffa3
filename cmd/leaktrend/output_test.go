package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// watchedOutput is what a command has written, all together, which is shown to a function as it grows.
type watchedOutput struct {
	mu             sync.Mutex
	stdout, stderr bytes.Buffer
	seen           func(stdout, stderr string)
}

func (o *watchedOutput) to(b *bytes.Buffer) io.Writer { return outputPart{o, b} }

type outputPart struct {
	of *watchedOutput
	b  *bytes.Buffer
}

func (p outputPart) Write(text []byte) (int, error) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	n, err := p.b.Write(text)
	p.of.seen(p.of.stdout.String(), p.of.stderr.String())
	return n, err
}

// patience is how long a test waits for what must come. On a machine that is idle nothing takes a tenth of it.
const patience = 5 * time.Minute

// reacting runs a command, shows a function what it has written whenever that grows, and lets it interrupt the command.
func reacting(t *testing.T, args []string, seen func(stdout, stderr string, interrupt func())) outcome {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	o := &watchedOutput{seen: func(stdout, stderr string) { seen(stdout, stderr, stop) }}
	err := run(ctx, args, strings.NewReader(""), o.to(&o.stdout), o.to(&o.stderr))
	o.mu.Lock()
	defer o.mu.Unlock()
	return outcome{exitCode(err), o.stdout.String(), o.stderr.String()}
}

// until runs a command and interrupts it when it has written all of some texts.
func until(t *testing.T, args []string, texts ...string) outcome {
	t.Helper()
	return reacting(t, args, func(stdout, stderr string, interrupt func()) {
		for _, text := range texts {
			if !strings.Contains(stdout, text) && !strings.Contains(stderr, text) {
				return
			}
		}
		interrupt()
	})
}

// Faults that stand for several lines are not counted among the rest once more.
func TestReportSkipped(t *testing.T) {
	table := "time,rss_bytes\n"
	for i := range 60 {
		value := fmt.Sprint(1000 + i)
		if 10 <= i && i < 22 {
			value = "lost"
		}
		table += fmt.Sprintf("2026-10-23T%02d:%02d:00Z,%s\n", i/12, i%12*5, value)
	}
	path := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if err := run(context.Background(), []string{"replay", path}, strings.NewReader(""), &stdout, &stderr); err != nil {
		t.Fatal(err)
	}
	want := path + ": 48 rows of 60, 4h 55m at 5m, a CSV table, 1 column judged\n" +
		"skipped: " + path + `:12: rss_bytes: "lost": not a number (the same for the 11 lines after it)` + "\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
