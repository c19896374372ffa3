package fleet

import (
	"fmt"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/detector/lives"
)

// What other processes of a workload tell of growth that began with a process of it, at hour 100.
func TestMayFill(t *testing.T) {
	const began = 100
	hour := func(h int) time.Time { return week.At(0).Add(time.Duration(h) * time.Hour) }
	life := func(from, to int, level func(hours float64) float64) precedent {
		track := lives.NewTrack(1)
		for at := time.Duration(0); at <= hour(to).Sub(hour(from)); at += week.Step {
			track.Add(int64(at), level(at.Hours()))
		}
		return precedent{hour(from), hour(to), map[string]lives.Curve{"a": track.Curve()}}
	}
	grows := func(h float64) float64 { return 100 + 2*h }
	slows := func(h float64) float64 { return 100 + min(2*h, 10) }
	flat := func(float64) float64 { return 100 }
	full := func(float64) float64 { return 190 }
	for _, test := range []struct {
		name   string
		since  int // began the growth
		ended  bool
		others []precedent
		want   bool
	}{
		{"the first of its workload", 102, false, nil, false},
		{"those before grew for a day each", 102, false, []precedent{life(50, 75, grows), life(75, 100, grows)}, true},
		{"one before stayed for a day", 102, false, []precedent{life(50, 75, flat), life(75, 100, grows)}, false},
		{"one before soon hardly grew", 102, false, []precedent{life(75, 100, slows)}, false},
		{"one before stayed for an hour or two", 102, false, []precedent{life(98, 100, flat)}, true},
		{"one before had stayed as high since before it was seen", 102, false, []precedent{life(75, 100, full)}, true},
		{"nothing is known of one before but its times", 102, false, []precedent{{first: hour(75), last: hour(100)}},
			true},
		{"one before was as old, and as high since before it was seen", 102, false,
			[]precedent{life(30, 76, full), life(76, 100, grows)}, false},
		{"one before was as old and grew like it", 102, false, []precedent{life(30, 76, grows), life(76, 100, grows)},
			true},
		{"one stayed after those that grew", 102, false, []precedent{life(26, 50, grows), life(50, 75, flat),
			life(75, 100, grows)}, true},
		{"grows since long after its begin", 130, false, []precedent{life(75, 100, grows)}, false},
		{"others began later", 102, false, []precedent{life(110, 120, grows)}, false},
		{"others run beside it", 102, false, []precedent{life(95, 130, grows)}, false},
		{"ended, and nothing took over", 102, true, []precedent{life(75, 100, grows)}, false},
		{"ended, and what took over grows", 102, true, []precedent{life(148, 172, grows)}, true},
		{"ended, one that grows took over and one before was as old", 130, true,
			[]precedent{life(50, 100, grows), life(148, 172, grows)}, true},
		{"ended, and what took over stays", 102, true, []precedent{life(75, 100, grows), life(148, 172, flat)}, false},
		{"ended, and what took over is an hour old", 102, true, []precedent{life(148, 149, flat)}, true},
	} {
		own := life(began, 148, grows)
		curve := own.curves["a"]
		r := Replica{
			began: own.first, Last: own.last, Since: hour(test.since), Ended: test.ended, base: 100,
			Evidence: &alerting.Evidence{Rise: 96}, curve: &curve,
		}
		if got := r.mayFill("a", append(test.others, own)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A cache that each deploy of a weekday cuts off, and that is full after two days, is no finding at the end of a
// weekend, nor later, whatever of it its longest life shows; a version that grows where the one before stayed is one,
// and so is what goes on over the weekend as in all of its lives.
func TestCacheOfOneWeek(t *testing.T) {
	m := &memory{}
	for i := range 40 {
		m.add(fmt.Sprintf("__name__=go_goroutines,job=well%d,instance=a", i), constant(100))
	}
	const always = 1000
	each := func(int) float64 { return 100 }
	lastOne := func(life int) float64 { return 100 * float64(life/2) }
	jobs := []struct {
		name   string
		starts []int // hours
		aDay   func(life int) float64
		full   int // hours after the start
		likely bool
	}{
		{"weekend", []int{0, 14, 38, 62, 86, 110}, each, 50, false},
		{"monday", []int{0, 14, 38, 62, 134}, each, 50, false},
		{"leak", []int{0, 14, 38, 62, 86, 110}, each, always, true},
		{"version", []int{0, 24, 62}, lastOne, always, true},
		{"back", []int{0, 24, 62, 144}, func(life int) float64 { return lastOne(life % 3) }, always, true},
	}
	for _, job := range jobs {
		life := func(i int) (at int) {
			for at+1 < len(job.starts) && job.starts[at+1]*12 <= i {
				at++
			}
			return at
		}
		m.add("__name__=go_goroutines,instance=a,job="+job.name, values(func(i int) float64 {
			return 300 + job.aDay(life(i))*float64(min(i-job.starts[life(i)]*12, job.full*12))/288 + float64(i*7919%5)
		}))
		m.add("__name__=process_start_time_seconds,instance=a,job="+job.name, values(func(i int) float64 {
			return float64(begin.Unix() + int64(job.starts[life(i)])*3600)
		}))
	}
	r, err := scanOf(t, m, func(o *Options) { o.Calibration = calibration.Default() })
	if err != nil {
		t.Fatal(err)
	}
	likely := map[string]bool{}
	for _, f := range append(r.Findings, r.Suspects...) {
		likely[f.Group[0].Value] = f.Chance.Mean >= minChance
	}
	for _, job := range jobs {
		if got, grows := likely[job.name]; !grows || got != job.likely {
			t.Errorf("%s: grows %v, likely %v, want %v", job.name, grows, got, job.likely)
		}
	}
}
