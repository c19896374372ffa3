package stats

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Budget is how many false alarms a user is willing to get from one process, as in "1/30d".
type Budget struct {
	Alarms float64 // above 0, at most 1,000,000
	Per    time.Duration
}

// maxAlarms keeps the arithmetic with budgets finite.
const maxAlarms = 1_000_000

// ParseBudget reads ALARMS/TIME: a number, and a duration, as in 1/30d, 0.5/2w or
// 2/36h. The error is a clause without the text.
func ParseBudget(text string) (Budget, error) {
	fail := func(why string) (Budget, error) {
		return Budget{}, errors.New(why + "; a budget is ALARMS/TIME, as in 1/30d")
	}
	alarms, per, ok := strings.Cut(text, "/")
	if !ok {
		return fail("lacks a /")
	}
	n, err := strconv.ParseFloat(alarms, 64)
	if err != nil || !(n > 0 && n <= maxAlarms) {
		return fail("the number of alarms must be above 0 and at most " + strconv.Itoa(maxAlarms))
	}
	length, err := sampler.ParseDuration(per)
	if err == nil && length <= 0 {
		err = errors.New("must be above zero")
	}
	if err != nil {
		return fail("the time " + err.Error())
	}
	b := Budget{n, length}
	if rate := b.PerDay(); rate == 0 || math.IsInf(rate, 0) {
		return fail("out of range")
	}
	return b, nil
}

// String returns the budget as ParseBudget reads it.
func (b Budget) String() string {
	per := b.Per.String()
	if day := 24 * time.Hour; b.Per%day == 0 {
		per = strconv.Itoa(int(b.Per/day)) + "d"
	}
	return strconv.FormatFloat(b.Alarms, 'f', -1, 64) + "/" + per
}

// PerDay returns the budget in alarms per process-day.
func (b Budget) PerDay() float64 { return b.Alarms / b.Per.Hours() * 24 }

// Confidence returns how surely a method keeps the budget that gave so many false alarms in so many healthy
// process-days, 0 to 1: the probability that a method which just exceeds it would have given more.
func (b Budget) Confidence(alarms int, days float64) float64 {
	if days <= 0 {
		return 0
	}
	// P(N > k) of a Poisson variable of mean m is the chi-square distribution with 2(k+1) degrees at 2m.
	return distuv.ChiSquared{K: 2 * float64(alarms+1)}.CDF(2 * days * b.PerDay())
}

// Missing returns how many more healthy process-days without a false alarm it takes to say with 95 % confidence that
// the budget is kept; 0 = the days are enough.
func (b Budget) Missing(alarms int, days float64) float64 {
	// The least mean at which so few alarms or fewer come with 5 % probability.
	bound := distuv.ChiSquared{K: 2 * float64(alarms+1)}.Quantile(confidence) / 2
	return max(0, bound/b.PerDay()-days)
}
