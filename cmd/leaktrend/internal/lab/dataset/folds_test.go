package dataset

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFolds(t *testing.T) {
	var programs []string
	for i := range 40 {
		programs = append(programs, fmt.Sprint("p", i%11))
	}
	fold, n := Folds(programs, 5, 1)
	if n != 5 || len(fold) != 11 {
		t.Fatalf("%d programs in %d folds, want 11 in 5", len(fold), n)
	}
	load := make([]int, n)
	for _, p := range programs {
		load[fold[p]]++
	}
	// 40 recordings, 3 or 4 a program: 8 a fold if it comes out even.
	if slices.Min(load) < 7 || slices.Max(load) > 11 {
		t.Errorf("recordings by fold: %v", load)
	}
	slices.Reverse(programs)
	again, _ := Folds(programs, 5, 1)
	if diff := cmp.Diff(fold, again); diff != "" {
		t.Errorf("in another order: (-want +got)\n%s", diff)
	}
	other, _ := Folds(programs, 5, 2)
	if cmp.Equal(fold, other) {
		t.Error("another seed gives the same folds")
	}
}

func TestFoldsOfFew(t *testing.T) {
	tests := []struct {
		programs []string
		k, want  int
	}{
		{nil, 5, 0},
		{[]string{"a", "a"}, 5, 1},
		{[]string{"a", "b"}, 5, 2},
		{[]string{"a", "b"}, 0, 0},
	}
	for _, tt := range tests {
		if _, n := Folds(tt.programs, tt.k, 1); n != tt.want {
			t.Errorf("%v in %d: %d folds, want %d", tt.programs, tt.k, n, tt.want)
		}
	}
}
