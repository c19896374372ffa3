package jsonfiles

import (
	"fmt"
	"slices"
	"testing"
)

// The first of the members of a name is found, however many there are, in time that does not grow with them.
func TestMemberNames(t *testing.T) {
	const many = 300
	var (
		members []member
		names   memberNames
	)
	for i := range many {
		key := fmt.Sprintf("c%d", i)
		want := slices.IndexFunc(members, func(m member) bool { return m.key == key })
		if got := names.find(members, key); got != want {
			t.Fatalf("%s among %d: at %d, want %d", key, len(members), got, want)
		}
		names.put(key, len(members))
		members = append(members, member{key: key})
		first := slices.IndexFunc(members, func(m member) bool { return m.key == "c7" })
		if got := names.find(members, "c7"); got != first {
			t.Fatalf("c7 among %d: at %d, want %d", len(members), got, first)
		}
	}
	if len(names) != many {
		t.Errorf("%d names of %d are looked up", len(names), many)
	}
}
