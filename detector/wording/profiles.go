package wording

import "fmt"

// Lack is why there is less evidence from profiles than there could be.
type Lack uint8

const (
	NoProfile     Lack = iota // more goroutines than a limit: none is taken
	FewerProfiles             // more goroutines than a limit: they are taken less often
	SlowProfiles              // each stops the world for longer than it may: they are taken less often
	BeyondSites               // more lines of code than are followed
)

// Say says so as a clause: of a number of goroutines, or of lines beyond those that are followed; limit is a number of
// these, or how long the world may be stopped.
func (l Lack) Say(n float64, limit any) string {
	format := "%.0f goroutines are too many for a profile of them: none is taken above %v"
	switch l {
	case FewerProfiles:
		format = "profiles of %.0f goroutines are taken less often: they are more than %v"
	case SlowProfiles:
		format = "profiles of %.0f goroutines stop the world for more than %v: they are taken less often"
	case BeyondSites:
		format = "%.0f lines of code beyond the %v that are followed are counted together only"
	}
	return fmt.Sprintf(format, n, limit)
}
