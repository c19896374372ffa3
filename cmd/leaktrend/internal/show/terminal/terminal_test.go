package terminal

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/ttytest"
)

func TestStyleOf(t *testing.T) {
	var b bytes.Buffer
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []io.Writer{&b, file} {
		if got := StyleOf(w); got != (Style{Width: plainWidth}) || Redraws(w) {
			t.Errorf("%T: %+v, redraws %v; want plain", w, got, Redraws(w))
		}
	}
	tty := ttytest.New(t, 57, 24)
	for _, test := range []struct {
		name, kind, noColor string
		color, redraws      bool
	}{
		{"xterm", "xterm", "", true, true},
		{"NO_COLOR", "xterm", "1", false, true},
		{"dumb", "dumb", "", false, false},
		{"unknown", "", "", false, false},
	} {
		t.Setenv("TERM", test.kind)
		t.Setenv("NO_COLOR", test.noColor)
		if got, want := StyleOf(tty.File), (Style{Width: 57, Color: test.color}); got != want ||
			Redraws(tty.File) != test.redraws {
			t.Errorf("%s: %+v, want %+v; redraws %v", test.name, got, want, Redraws(tty.File))
		}
	}
	if width, height, ok := Size(tty.File); width != 57 || height != 24 || !ok {
		t.Errorf("size %d by %d %v, want 57 by 24", width, height, ok)
	}
	tty.Resize(0, 0)
	if got := StyleOf(tty.File).Width; got != plainWidth {
		t.Errorf("width %d of a terminal that tells none, want %d", got, plainWidth)
	}
}
