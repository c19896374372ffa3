package evidence

import (
	"math"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/sites"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

// isChance reports whether memory of the runtime's own, as that of its background workers, is there by the chance of
// sampling: it is no part of a growth.
func isChance(g *sites.Grown, resolution float64) bool {
	return !g.Profile.Application && profile.PackageOf(g.Function) == "runtime" && g.Growth < enoughKept*resolution
}

// scaleDown keeps what lines grew by from being more than the live heap did: that is known exactly, and they by
// samples.
func scaleDown(listed *growth, a *alerting.Alert) {
	grown := a.Value - a.Baseline
	if a.Resource != sampler.HeapLiveBytes || a.Kind != alerting.Trend || grown <= 0 || listed.total <= grown {
		return
	}
	for i := range listed.grown {
		g := &listed.grown[i]
		was := g.Growth
		g.Growth *= grown / listed.total
		g.Bytes = math.Round(g.Bytes - was + g.Growth)
	}
	listed.total = grown
}

// boundShares keeps shares that were measured since several instants, or of several totals, from adding up to more than
// 1.
func boundShares(grown []sites.Grown) {
	sum := 0.
	for i := range grown {
		sum += grown[i].Share
	}
	for i := range grown {
		grown[i].Share /= max(1, sum)
	}
}
