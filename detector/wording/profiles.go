package wording

import (
	"fmt"
	"time"
)

// NoProfile says that no profile of goroutines is taken, as there are more than a limit.
func NoProfile(goroutines float64, limit int) string {
	return fmt.Sprintf("%.0f goroutines are too many for a profile of them: none is taken above %d", goroutines, limit)
}

// FewerProfiles says that profiles of goroutines are taken less often, as there are more than a limit.
func FewerProfiles(goroutines float64, limit int) string {
	return fmt.Sprintf("profiles of %.0f goroutines are taken less often: they are more than %d", goroutines, limit)
}

// SlowProfiles says that profiles of goroutines are taken less often, as each stops the world for longer than it may.
func SlowProfiles(goroutines float64, limit time.Duration) string {
	return fmt.Sprintf("profiles of %.0f goroutines stop the world for more than %s: they are taken less often", goroutines, limit)
}
