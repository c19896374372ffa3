//go:build !race

package outside

const raceEnabled = false
