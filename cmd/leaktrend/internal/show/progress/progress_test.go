package progress

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/ttytest"
)

func TestSilentElsewhere(t *testing.T) {
	tty := ttytest.New(t, 80, 24)
	never := func() float64 {
		t.Error("asked for the share")
		return 0
	}
	var b bytes.Buffer
	done := Start(&b, "replaying", never)
	t.Setenv("TERM", "dumb")
	doneDumb := Start(tty.File, "replaying", never)
	time.Sleep(quiet + 2*every)
	done()
	done()
	doneDumb()
	if got := b.String() + tty.Raw(); got != "" {
		t.Errorf("wrote %q", got)
	}
}

func TestShortWorkShowsNothing(t *testing.T) {
	tty := ttytest.New(t, 80, 24)
	Start(tty.File, "replaying", func() float64 { return 0 })()
	if got := tty.Raw(); got != "" {
		t.Errorf("wrote %q", got)
	}
}

func TestShown(t *testing.T) {
	for _, test := range []struct {
		name  string
		share float64
		want  string // all of the line, at some time
	}{
		{"unknown", 0, `reading`},
		{"hardly begun", .005, `reading: (0|1) %`},
		{"half", .5, `reading: 50 %, [0-9]+(\.[0-9])?s left`},
		{"more than all", 1.5, `reading: 100 %, 0s left`},
	} {
		t.Run(test.name, func(t *testing.T) {
			tty := ttytest.New(t, 80, 24)
			polled := make(chan struct{}, 1000)
			done := Start(tty.File, "reading", func() float64 {
				polled <- struct{}{}
				return test.share
			})
			<-polled
			<-polled // the first is on the terminal
			shown := tty.Lines()
			if len(shown) != 1 || !regexp.MustCompile("^"+test.want+"$").MatchString(shown[0]) {
				t.Errorf("the terminal shows %q, want %q", shown, test.want)
			}
			done()
			done()
			if got := tty.Lines(); len(got) != 0 {
				t.Errorf("%q is left on the terminal", strings.Join(got, "\n"))
			}
		})
	}
}
