package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/screen"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

const (
	lookEvery   = 3 * time.Second // for processes that match
	mostWatched = 64              // at one time
)

// watchAll watches every process that matches a name, each with a monitor of its own.
func watchAll(cmd *cobra.Command, view *screen.View, flags *source.Flags, config detector.Config, tellByExit bool) error {
	pids, err := flags.Find()
	if err != nil {
		return err
	}
	all := &herd{view: view, pattern: flags.Name, config: config, ended: make(chan int), living: make(map[int]bool)}
	// A fault of the configuration would be that of every monitor.
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	if _, err := detector.NewMonitor(config, silent); err != nil {
		return err
	}
	err = display(cmd.Context(), view, flags.Duration, func(ctx context.Context) error { return all.follow(ctx, pids) })
	if errors.Is(err, io.EOF) {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		err = nil
	}
	switch {
	case err != nil:
		return err
	case !all.sampled:
		return fmt.Errorf("nothing was sampled from --name %s", flags.Name)
	case tellByExit && all.leak:
		return errLeak
	}
	return nil
}

// herd is the processes that match a name, as they come and go.
type herd struct {
	view    *screen.View
	pattern string
	config  detector.Config

	ended   chan int
	living  map[int]bool // what is watched, by pid
	refused int          // how many had no place at the last look

	mu            sync.Mutex
	sampled, leak bool // of any of them
}

// follow watches some processes, and those that match later, until ctx ends. Where nobody waits for the next one, it ends with the last.
func (h *herd) follow(ctx context.Context, pids []int) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	h.take(ctx, pids)
	for {
		if len(h.living) == 0 && !h.view.Waits() {
			h.look(ctx)
			if len(h.living) == 0 {
				return fmt.Errorf("the last process of --name %s %w", h.pattern, errEnded)
			}
		}
		select {
		case pid := <-h.ended:
			delete(h.living, pid)
		case <-ticker.C:
			h.look(ctx)
		case <-ctx.Done():
			for len(h.living) > 0 {
				delete(h.living, <-h.ended)
			}
			return nil
		}
	}
}

// errEnded is io.EOF in words.
var errEnded = endedError{}

type endedError struct{}

func (endedError) Error() string { return "ended" }
func (endedError) Unwrap() error { return io.EOF }

func (h *herd) look(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	pids, err := sampler.FindProcesses(h.pattern)
	if err != nil {
		h.view.Logger().WithError(err).Warn("cannot look for processes")
		return
	}
	h.take(ctx, pids)
}

// take begins to watch those that are not watched yet, and have not ended meanwhile.
func (h *herd) take(ctx context.Context, pids []int) {
	pids = slices.DeleteFunc(pids, func(pid int) bool { return h.living[pid] })
	room := mostWatched - len(h.living)
	refused := max(len(pids)-room, 0)
	if refused > h.refused {
		h.view.Logger().Warnf("%d more processes match; %d are watched, which is the most", refused, mostWatched)
	}
	h.refused = refused
	for _, pid := range pids[:len(pids)-refused] {
		if source, err := sampler.NewProcess(pid); err == nil {
			h.living[pid] = true
			shown := h.view.Add(source.String())
			go h.watch(ctx, pid, source, shown)
		}
	}
}

func (h *herd) watch(ctx context.Context, pid int, source *sampler.Process, shown *screen.Process) {
	defer func() { h.ended <- pid }()
	defer func() {
		if r := recover(); r != nil {
			h.view.Restore()
			panic(r)
		}
	}()
	defer source.Close()
	logger := shown.Logger()
	monitor, err := detector.NewSourceMonitor(source, processOf(source), h.config, logger)
	if err == nil {
		err = observe(ctx, monitor, shown, nil)
	}
	if err != nil {
		logger.Warn(err)
	}
	if monitor == nil {
		return
	}
	statuses := monitor.Status()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sampled = h.sampled || len(statuses) > 0
	h.leak = h.leak || found(statuses)
}
