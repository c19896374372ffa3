package fleet

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gonum.org/v1/gonum/stat"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
)

// shardsEnv asks for the figures of shards in docs/fleet.md, as "SEED SERIES FLEETS SEEDS", like promiseEnv.
const shardsEnv = "LEAKTREND_SHARDS"

// parted returns the parts of a fleet, each as a scan of it reads it, and as the last one all of it.
func parted(members map[string]*judgedSeries, back time.Duration, shards int) (parts []*collector, whole *collector) {
	for range shards + 1 {
		parts = append(parts, newCollector(&Options{GroupBy: []string{"job"}, Calibration: calibration.Default()}))
	}
	whole = parts[shards]
	for i := range len(members) {
		job := fmt.Sprintf("j%d", i)
		n := slices.IndexFunc(parts, func(c *collector) bool {
			return Shard{slices.Index(parts, c), shards}.holds(job)
		})
		for _, c := range []*collector{parts[n], whole} {
			members[job].join(c, job, back)
		}
	}
	return parts[:shards], whole
}

// inParts returns what the scans of the parts of a fleet report, each with its own past or, if it is shared, that of
// all.
func inParts(parts []*collector, fdr float64, share bool) (all []*Report) {
	for _, c := range parts {
		c.others = Past{}
		all = append(all, c.report(fdr, 0, time.Time{}))
	}
	if !share {
		return all
	}
	alone := slices.Clone(all)
	for i, c := range parts {
		for k, other := range alone {
			if k != i {
				told := other.ForOthers()
				c.others = c.others.With(&told)
			}
		}
		all[i] = c.report(fdr, 0, time.Time{})
	}
	return all
}

// joined is the reports of the parts as one.
func joined(reports []*Report) *Report {
	all := &Report{}
	for _, r := range reports {
		all.Findings, all.Suspects = append(all.Findings, r.Findings...), append(all.Suspects, r.Suspects...)
		all.Hypotheses += r.Hypotheses
		all.Past, all.Lives = *all.Past.With(&r.Past), all.Lives.With(&r.Lives)
	}
	return all
}

// partsFigures are those of fleets that are scanned in parts, beside one scan of each.
type partsFigures struct {
	figures
	same, more, fewer int     // findings
	apart             float64 // sum of how far the chances of the same ones lie apart
}

func (f *partsFigures) compare(whole, parts *Report) {
	chances := map[string]float64{}
	for i := range whole.Findings {
		chances[whole.Findings[i].Key()] = whole.Findings[i].Chance.Mean
	}
	same := 0
	for i := range parts.Findings {
		if chance, known := chances[parts.Findings[i].Key()]; known {
			same++
			f.apart += math.Abs(parts.Findings[i].Chance.Mean - chance)
		}
	}
	f.same, f.more, f.fewer = f.same+same, f.more+len(parts.Findings)-same, f.fewer+len(whole.Findings)-same
}

// A fleet that is scanned in parts which share their pasts has the share of false findings that one scan has, and its
// findings but for those at the border.
func TestShardsKeepThePromise(t *testing.T) {
	const (
		fdr  = .05
		back = 14 * aDay
	)
	seed, each, fleets, seeds := uint64(9801), 2, 2, 1
	kinds, shares := mixes(1530)[1:2], []float64{.05}
	text := os.Getenv(shardsEnv)
	if text != "" {
		if _, err := fmt.Sscan(text, &seed, &each, &fleets, &seeds); err != nil {
			t.Fatalf("%s=%s: want a seed, series, fleets and seeds: %v", shardsEnv, text, err)
		}
		kinds, shares = mixes(1530), []float64{.01, .05}
	}
	type row struct {
		kind    int
		leaking float64
		shards  int
		share   bool
	}
	rows := map[row]*partsFigures{}
	var order []row
	for range seeds {
		pool := newPool(seed, each, text != "", false)
		r := rand.New(rand.NewPCG(seed, 7))
		for kind := range kinds {
			for _, leaking := range shares {
				for range fleets {
					_, members := kinds[kind].draw(pool, r, leaking, back)
					for _, shards := range []int{1, 4, 16} {
						parts, all := parted(members, back, shards)
						whole := all.report(fdr, 0, time.Time{})
						for _, share := range []bool{false, true} {
							at := row{kind, leaking, shards, share}
							if rows[at] == nil {
								rows[at], order = &partsFigures{}, append(order, at)
							}
							o, together := rows[at], joined(inParts(parts, fdr, share))
							if diff := cmp.Diff(whole.Past, together.Past,
								cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" ||
								whole.Hypotheses != together.Hypotheses {
								t.Fatalf("%d parts: pasts (-one scan +parts):\n%s", shards, diff)
							}
							o.add(together, members)
							o.compare(whole, together)
						}
					}
				}
			}
		}
		for _, o := range rows {
			o.seeds = append(o.seeds, len(o.wrong))
		}
		seed++
	}
	for _, at := range order {
		o := rows[at]
		mean, error95 := o.falseShare()
		t.Logf("%s, %g %% leak, %d parts, past shared %v: %d findings, %.1f %% +- %.1f false, said %.1f %%; %d as in "+
			"one scan, %d more, %d fewer; chances %.1f %% apart; %d of %d due found",
			kinds[at.kind].name, 100*at.leaking, at.shards, at.share, o.reported, 100*mean, 100*error95,
			100*stat.Mean(o.expected, nil), o.same, o.more, o.fewer,
			100*o.apart/float64(max(o.same, 1)), o.found, o.due)
		// Each part keeps the promise for its own, so it may leave out what is at the border.
		if at.share && (mean-error95 > fdr || 8*o.fewer > o.same || 20*o.more > o.same ||
			o.apart > 1e-6*float64(o.same) || o.same == 0) {
			t.Errorf("%d parts that share their pasts find something else than one scan", at.shards)
		}
	}
}
