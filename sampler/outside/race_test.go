//go:build race

package outside

const raceEnabled = true
