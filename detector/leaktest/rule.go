package leaktest

// minStretches is how many stretches something must have grown in to be called a leak...
const minStretches = 4

// ...and minProven in how many where the runtime has proven it.
const minProven = 2

// minPace is the share of the growth in a round that a round of the latest stretch must have: what comes to rest grows
// ever less.
const minPace = .5

// series are the values of one thing at each stock, the first before the first stretch.
type series []float64

// grows reports whether the values have grown in every stretch, of so many rounds each, and in proportion to them.
func (s series) grows(stretches []int) bool { return s.rose(stretches) && s.paced(stretches) }

// rose reports whether the values have grown in every stretch.
func (s series) rose(stretches []int) bool {
	if len(s) != len(stretches)+1 || len(s) < 2 {
		return false
	}
	for i := range stretches {
		if s[i+1] <= s[i] {
			return false
		}
	}
	return true
}

// paced reports whether a round of the latest stretch has made the values grow as those before have. The first stretch
// does not count: it may have warmed up what the rounds before it did not.
func (s series) paced(stretches []int) bool {
	last := len(stretches) - 1
	if last < 2 || len(s) != last+2 {
		return true
	}
	rounds := 0
	for _, n := range stretches[1:last] {
		rounds += n
	}
	return (s[last+1]-s[last])/float64(stretches[last]) >= minPace*(s[last]-s[1])/float64(rounds)
}

// rises returns in how many stretches the values have grown; 0 if they have fallen in any.
func (s series) rises() (n int) {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] < s[i-1]:
			return 0
		case s[i] > s[i-1]:
			n++
		}
	}
	return n
}

// growth returns how much there is more than at the first stock.
func (s series) growth() float64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1] - s[0]
}

// put sets the value at a stock; what was not there before was 0.
func (s *series) put(stock int, value float64) {
	for len(*s) <= stock {
		*s = append(*s, 0)
	}
	(*s)[stock] = value
}

// nextStretch returns how many rounds the next stretch has: as many as all before, if the time that is left for them
// lasts so long.
func nextStretch(played int, elapsed, left float64) int {
	if elapsed <= 0 {
		return played
	}
	affordable := left / elapsed * float64(played)
	return int(min(float64(played), max(affordable, 1)))
}
