//go:build go1.25

package detector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
)

// declaring is a source that knows that one of its resources is a gauge.
type declaring struct{ *scripted }

func (d declaring) Resources() []sampler.Resource {
	return []sampler.Resource{{Name: "active_handles_total", Sentence: "active_handles_total"}}
}

// What a source declares counts before the name: a gauge called _total is judged, as its leak is.
func TestSourceDeclares(t *testing.T) {
	for name, test := range map[string]struct {
		declares bool
		judged   bool
	}{"declared": {true, true}, "by name": {false, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := &scripted{make: func(n int, s *sampler.Sample) error {
					s.Add("active_handles_total", float64(100+n))
					return nil
				}}
				var source sampler.Source = script
				if test.declares {
					source = declaring{script}
				}
				_, logger := newJournal()
				m, err := NewSourceMonitor(source, alerting.Process{PID: 1}, DefaultConfig(), logger)
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(4 * time.Hour)
				synctest.Wait()
				status := m.Status()
				if len(status) != 1 || status[0].Judged != test.judged || status[0].Trend != test.judged {
					t.Errorf("status %+v", status)
				}
				if err := m.Stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
