package dataset

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// Folds deals programs out to at most k folds for cross-validation and returns the fold of each, and how many there
// are: fewer than k if there are fewer programs. programs names the program of every recording; recordings of one
// program are not independent, so they stay together. The folds hold about equally many recordings. The same seed gives
// the same folds, in whatever order the programs come.
func Folds(programs []string, k int, seed uint64) (fold map[string]int, n int) {
	count := make(map[string]int)
	for _, p := range programs {
		count[p]++
	}
	order := slices.Sorted(maps.Keys(count))
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	slices.SortStableFunc(order, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	n = max(0, min(k, len(order)))
	fold = make(map[string]int, len(order))
	if n == 0 {
		return fold, 0
	}
	load := make([]int, n)
	for _, p := range order {
		lightest := slices.Index(load, slices.Min(load))
		fold[p] = lightest
		load[lightest] += count[p]
	}
	return fold, n
}
