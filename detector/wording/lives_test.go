package wording

import (
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/engine"
	"github.com/mdzesseis/leaktrend/sampler"
)

func livesOf(version string, day, lives int) alerting.LivesOf {
	return alerting.LivesOf{Version: version, Since: time.Date(2026, 11, day, 10, 0, 0, 0, time.UTC), Lives: lives}
}

func TestLivesInWords(t *testing.T) {
	at := time.Date(2026, 11, 18, 6, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		resource string
		cause    engine.Cause
		status   alerting.Status
		lives    alerting.Lives
		want     string
	}{
		{sampler.OpenFDs, engine.GrewInEachLife, alerting.Firing, alerting.Lives{
			Grew: 6, LowPerDay: 34.3, HighPerDay: 40.6, Versions: []alerting.LivesOf{livesOf("2.1.0", 12, 4),
				livesOf("2.1.1", 16, 2)},
			Before: []alerting.LivesOf{livesOf("2.0", 3, 9)},
		}, "open_fds leak: each of the last 6 lives grew by 34 to 41 a day without levelling off: 2.1.0 (since 12 " +
			"Nov) and 2.1.1; " +
			"the 9 lives of 2.0 did not; 180 now"},
		{sampler.RSSBytes, engine.GrewInEachLife, alerting.Firing, alerting.Lives{
			Grew: 5, LowPerDay: 3 << 30, HighPerDay: 3 << 30, Versions: []alerting.LivesOf{livesOf("", 12, 5)},
		},
			"rss_bytes leak: each of the last 5 lives grew by 3.0 GB a day without levelling off (since 12 Nov); " +
				"180 B now"},
		{sampler.OpenFDs, engine.GrewInEachLife, alerting.Firing, alerting.Lives{
			Grew: 6, LowPerDay: 4.04, HighPerDay: 4.1, Before: []alerting.LivesOf{livesOf("", 3, 1)},
			Versions: []alerting.LivesOf{livesOf("1", 3, 1), livesOf("2", 3, 1), livesOf("3", 3, 1), livesOf("4", 3, 1),
				livesOf("5", 3, 1)},
		}, "open_fds leak: each of the last 6 lives grew by 4 to 4.1 a day without levelling off: 1 (since 3 Nov), " +
			"2, 3 and 2 more; " +
			"the life before did not; 180 now"},
		{sampler.OpenFDs, engine.Grew, alerting.Firing, alerting.Lives{
			Versions: []alerting.LivesOf{livesOf("2.1.0", 17, 1)}, Before: []alerting.LivesOf{livesOf("2.0", 3, 9)},
		}, "open_fds leak: +10/h for 20h without ever coming back, 180 now, baseline 100, growing since 2026-11-17 " +
			"10:00:00 UTC; " +
			"began with 2.1.0; the 9 lives of 2.0 did not"},
		{sampler.OpenFDs, engine.Grew, alerting.Firing, alerting.Lives{
			Versions: []alerting.LivesOf{livesOf("2.0", 17, 1)}, Before: []alerting.LivesOf{livesOf("2.0", 3, 9)},
		}, "open_fds leak: +10/h for 20h without ever coming back, 180 now, baseline 100, growing since 2026-11-17 " +
			"10:00:00 UTC"},
		{sampler.OpenFDs, engine.NotAgain, alerting.Resolved, alerting.Lives{
			Versions: []alerting.LivesOf{livesOf("2.1.0", 17, 1)}, Ended: &alerting.LivesOf{Version: "2.1.2", Lives: 1},
		}, "open_fds trend resolved after 20h: not there again since the restart, for as long as it had grown; ended " +
			"with 2.1.2 (180 now)"},
		{sampler.OpenFDs, engine.NotAgain, alerting.Resolved, alerting.Lives{
			Versions: []alerting.LivesOf{livesOf("2.1.0", 17, 1)}, Ended: &alerting.LivesOf{Version: "2.1.0", Lives: 1},
		}, "open_fds trend resolved after 20h: not there again since the restart, for as long as it had grown; the " +
			"same version since, 2.1.0 (180 now)"},
	} {
		r, _ := sampler.Lookup(test.resource)
		got := Summary(&engine.Decision{
			Event: alerting.Event{
				Time: at, Since: at.Add(-20 * time.Hour), Status: test.status, Kind: alerting.Trend,
				Resource: test.resource, Value: 180, Baseline: 100,
				SlopePerHour: 10, Lives: &test.lives,
			},
			Described: r, Cause: test.cause,
		})
		if got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
