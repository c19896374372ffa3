//go:build go1.25

package evidence

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

// elsewhere is the error of a search that others hold up.
type elsewhere struct{}

func (elsewhere) Error() string { return "looked for elsewhere" }
func (elsewhere) Passes()       {}

// A search in another process that failed, or found nothing, is repeated after a while, not by each alert; one that did
// not begin is not one that failed.
func TestHoldFailsForAWhile(t *testing.T) {
	for _, fault := range []error{errors.New("too far away"), nil} {
		synctest.Test(t, func(t *testing.T) { holdFails(t, fault) })
	}
}

func holdFails(t *testing.T, fault error) {
	source := &keeper{err: fault}
	lines := NewLines(source, viewed{holders: true}, nil)
	hold := func() (string, error) {
		a := alerting.Alert{Sites: []alerting.Site{{Function: "main.load", Bytes: 5}}}
		a.Resource = "heap_live_bytes"
		err := lines.Hold(t.Context(), &a)
		return a.Sites[0].Holder, err
	}
	for minute := range 25 {
		if _, err := hold(); !errors.Is(err, source.err) || len(source.requested) != 1+minute/10 {
			t.Errorf("after %d minutes: error %v, asked %d times", minute, err, len(source.requested))
		}
		time.Sleep(time.Minute)
	}
	source.err = elsewhere{}
	time.Sleep(searchAgain)
	for range 2 {
		if _, err := hold(); !errors.Is(err, source.err) {
			t.Errorf("error %v", err)
		}
	}
	source.text, source.err = "main.cache", nil
	for range 2 {
		if held, err := hold(); err != nil || held != source.text {
			t.Errorf("held by %q, error %v", held, err)
		}
	}
	if len(source.requested) != 6 {
		t.Errorf("asked %d times", len(source.requested))
	}
}
