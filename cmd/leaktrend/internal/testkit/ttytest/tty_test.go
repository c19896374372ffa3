package ttytest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLines(t *testing.T) {
	tty := New(t, 10, 3)
	check := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(tty.Lines(), "\n")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	check()
	fmt.Fprint(tty.File, "first\n\x1b[31;1msecond\x1b[0m\nabcdefghij\n")
	check("first", "second", "abcdefghij")
	fmt.Fprint(tty.File, "\x1b[2A\r\x1b[Jcat\n") // the first has scrolled out
	check("first", "cat")
	fmt.Fprint(tty.File, "0123456789abc\n")
	check("first", "cat", "0123456789", "abc")
	tty.Resize(5, 3)
	check("first", "cat", "01234", "56789", "abc")
	tty.Resize(20, 3)
	check("first", "cat", "0123456789abc")
	fmt.Fprint(tty.File, "progress\rpro\x1b[K\r\x1b[Kdone")
	check("first", "cat", "0123456789abc", "done")
	if want, got := "progress\rpro\x1b[K\r\x1b[Kdone", tty.Raw(); !strings.HasSuffix(got, want) {
		t.Errorf("raw: %q, want %q at the end", got, want)
	}
}

func TestScreenRefuses(t *testing.T) {
	for _, text := range []string{"\t", "\x1b[5A", "\x1b[2", "\x1b]0;title\a", "\x1b[1;2K", "\x1b[3h", "\xff"} {
		s := screen{width: 10, height: 3, lines: []*line{{}}}
		if _, err := s.interpret(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
