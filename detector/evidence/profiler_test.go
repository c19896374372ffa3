package evidence

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"

	"github.com/mdzesseis/leaktrend/detector/config"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

type tooBusy struct{}

func (tooBusy) Error() string { return "too busy" }
func (tooBusy) Passes()       {}

// hasty is a process that is too busy for each second profile.
type hasty struct{ collected int }

func (h *hasty) Profile(_ context.Context, kind profile.Kind) (*profile.Profile, error) {
	if kind != profile.Goroutine {
		return nil, profile.ErrUnsupported
	}
	if h.collected++; h.collected%2 == 1 {
		return nil, tooBusy{}
	}
	return profile.NewBuilder(kind).Profile(time.Now()), nil
}

func (*hasty) Raw(context.Context, profile.Kind) ([]byte, error) { return nil, profile.ErrUnsupported }

// That a process is too busy for a profile is logged once, however often it comes and goes, and told as long as it is
// so.
func TestTooBusyForAProfile(t *testing.T) {
	logger, logged := test.NewNullLogger()
	source := new(hasty)
	l := NewLines(source, atRest(config.Default()), logger)
	var notes []string
	for range 6 {
		l.profiler.watched[goroutineSites].next = time.Time{}
		l.Work(t.Context())
		notes = append(notes, l.profiler.watched[goroutineSites].note)
	}
	busy := tooBusy{}.Error()
	if d := cmp.Diff([]string{busy, "", busy, "", busy, ""}, notes); d != "" {
		t.Errorf("notes (-want +got):\n%s", d)
	}
	var about []string
	for _, e := range logged.AllEntries() {
		if e.Level == logrus.WarnLevel && e.Data["profile"] == string(profile.Goroutine) {
			about = append(about, e.Message)
		}
	}
	if d := cmp.Diff([]string{"Resource monitor: " + busy}, about); d != "" {
		t.Errorf("logged (-want +got):\n%s", d)
	}
}
