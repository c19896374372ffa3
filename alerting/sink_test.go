package alerting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

func TestFinal(t *testing.T) {
	cause := errors.New("no")
	for _, tc := range []struct {
		name string
		err  error
		want bool
	}{
		{"final", Final(cause), true},
		{"wrapped", fmt.Errorf("x: %w", Final(cause)), true},
		{"plain", cause, false},
		{"nil", Final(nil), false},
	} {
		if got := IsFinal(tc.err); got != tc.want {
			t.Errorf("%s: final %v, want %v", tc.name, got, tc.want)
		}
	}
	if err := Final(cause); !errors.Is(err, cause) || err.Error() != "no" {
		t.Errorf("Final hides its cause: %v", err)
	}
	if err := Final(nil); err != nil {
		t.Errorf("Final(nil) = %v", err)
	}
}

func TestChannelSinkDropsOldest(t *testing.T) {
	s := NewChannelSink(2)
	for i := range 5 {
		if err := s.Send(context.Background(), Alert{ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	got := []string{(<-s.C()).ID, (<-s.C()).ID}
	if diff := cmp.Diff([]string{"3", "4"}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if s.Dropped() != 3 {
		t.Errorf("dropped %d, want 3", s.Dropped())
	}
	if got := cap(NewChannelSink(0).C()); got != 1 {
		t.Errorf("least size %d, want 1", got)
	}
}

func TestChannelSinkConcurrently(t *testing.T) {
	const senders, each = 4, 500
	s := NewChannelSink(3)
	var wg sync.WaitGroup
	for range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range each {
				_ = s.Send(context.Background(), Alert{})
			}
		}()
	}
	quit, read := make(chan struct{}), make(chan uint64)
	go func() {
		var n uint64
		for {
			select {
			case <-s.C():
				n++
			case <-quit:
				read <- n
				return
			}
		}
	}()
	wg.Wait()
	close(quit)
	if got := <-read + s.Dropped() + uint64(len(s.C())); got != senders*each {
		t.Errorf("%d alerts read, dropped or left, want %d", got, senders*each)
	}
}

func TestLogSink(t *testing.T) {
	var out bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&out)
	logger.SetFormatter(&logrus.JSONFormatter{DisableTimestamp: true})
	s := NewLogSink(logger)
	warning, critical, plain := fullAlert(), fullAlert(), resolvedAlert()
	warning.Severity, critical.Severity = Warning, Critical
	critical.Sites = critical.Sites[1:]
	plain.Threshold, plain.Since = 0, Alert{}.Since
	for _, a := range []Alert{warning, fullAlert(), critical, plain} {
		if err := s.Send(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	logger.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true})
	plain.Value, plain.Baseline, plain.SlopePerHour = 19644416.25, 4.324503311258278, -87518.11820717476
	_ = s.Send(context.Background(), plain)
	golden(t, "log", out.Bytes())
}
