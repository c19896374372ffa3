package guard

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestDo(t *testing.T) {
	plain := errors.New("plain")
	for _, test := range []struct {
		name  string
		f     func() error
		want  string
		panic bool
	}{
		{"nothing", func() error { return nil }, "<nil>", false},
		{"an error", func() error { return plain }, "plain", false},
		{"a panic", func() error { panic("oops") }, "panic: oops", true},
		{"a panic with an error", func() error { panic(plain) }, "panic: plain", true},
	} {
		err := Do(test.f)
		if got := fmt.Sprint(err); got != test.want || IsPanic(err) != test.panic {
			t.Errorf("%s: %s, a panic: %v", test.name, got, IsPanic(err))
		}
	}
	if wrapped := fmt.Errorf("while sampling: %w", Do(func() error { panic(1) })); !IsPanic(wrapped) {
		t.Error("a panic that is wrapped is none any more")
	}
}

// Only a panic has a stack in the log, and that names where it was.
func TestEntry(t *testing.T) {
	var out bytes.Buffer
	logger := logrus.New()
	logger.SetOutput(&out)
	Entry(logger, errors.New("plain")).Warn("a")
	if strings.Contains(out.String(), "stack=") {
		t.Errorf("an error with a stack: %s", &out)
	}
	Entry(logger, Do(func() error { panic("oops") })).Warn("b")
	if text := out.String(); !strings.Contains(text, "stack=") || !strings.Contains(text, "guard_test.go") {
		t.Errorf("a panic without its stack: %s", text)
	}
}

func TestNews(t *testing.T) {
	var n News
	for i, step := range []struct {
		problem string
		want    bool
	}{
		{"", false}, {"port 8080 refused", true}, {"port 9090 refused", false}, {"port refused", true}, {"", true},
		{"", false},
	} {
		if got := n.Changed(step.problem); got != step.want {
			t.Errorf("step %d, %q: %v", i, step.problem, got)
		}
	}
	if n.ChangedError(nil) || !n.ChangedError(errors.New("x")) || n.ChangedError(errors.New("x")) ||
		!n.ChangedError(nil) {
		t.Error("errors and their texts are not the same news")
	}
}
