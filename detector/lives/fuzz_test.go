package lives_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/detector/lives"
)

// FuzzRecord: whatever a file holds, what is valid can be gone on with.
func FuzzRecord(f *testing.F) {
	r := lives.New(1)
	for i := range 7 {
		r.Add(life(24*float64(i), 24, "open_fds"))
	}
	text, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"version":1,"scale":1,"lives":[{"first":"1960-01-01T00:00:00Z","end":"2300-01-01T00:00:00Z",` +
		`"ended":"running",` +
		`"curves":{"x":{"width":1e8,"base":-1e100,"unit":1e97,"floors":[-1,999,0,-1],"start":0,"last":0}}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r lives.Record
		if json.Unmarshal(text, &r) != nil || r.Validate() != nil {
			return
		}
		var judge lives.Judge
		judge.Begin(lives.Params{Required: 8 * time.Hour, MinGrowth: .2, Offset: 4, Scale: 1})
		track := lives.NewTrack(1)
		for i := range r.Lives {
			for _, c := range r.Lives[i].Curves {
				judge.Add(i, &r.Lives[i], &c)
				c.Known(3600)
				track = c.Resume()
			}
		}
		for age := range 40 {
			track.Add(int64(age)*int64(time.Hour), float64(100+age))
		}
		judge.AddRunning(len(r.Lives), time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), &track)
		if g, ok := judge.Over(); ok && g.Lives < 3 {
			t.Errorf("called by %d lives", g.Lives)
		}
		r.Add(lives.Life{First: time.Unix(1e10, 0), End: time.Unix(1e10+7200, 0), Ended: lives.Replaced})
		r.CloseLatest(lives.Stopped)
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}
