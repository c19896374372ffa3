package config

import (
	"strconv"
	"strings"
)

// show returns a name for use in a message: as it is when plain, else quoted and cut.
func show(name string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("_-./:[]<", r)
	}
	if name != "" && len(name) <= maxShown && strings.IndexFunc(name, func(r rune) bool { return !plain(r) }) < 0 {
		return name
	}
	return showText(name)
}

const maxShown = 100

// showText quotes a value for use in a message, cut where it is long.
func showText(s string) string {
	if len(s) <= maxShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(strings.ToValidUTF8(s[:maxShown], "")) + "..."
}

// nearest returns the candidate that is a small slip away from name, or "".
func nearest(name string, candidates []string) string {
	plain := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	found, minDistance := "", max(1, min(3, len(plain)/4))+1
	for _, c := range candidates {
		if d := len(c) - len(plain); max(d, -d) >= minDistance {
			continue
		}
		if d := editDistance(plain, c); d < minDistance {
			found, minDistance = c, d
		}
	}
	return found
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
