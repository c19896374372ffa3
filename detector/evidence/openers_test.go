package evidence

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler/breakdown"
)

// What grew tells which functions opened it.
func TestOpenersOf(t *testing.T) {
	part := func(what, detail string, share float64) breakdown.Part {
		return breakdown.Part{What: what, Detail: detail, Share: share}
	}
	for _, test := range []struct {
		name      string
		parts     []breakdown.Part
		opens     []string // among them
		opensNone []string // none of them
	}{
		{"listeners", []breakdown.Part{part("tcp", "LISTEN port 80", 1)}, []string{"net.(*sysListener).listenTCP"},
			[]string{"net.(*sysDialer).dialTCP"}},
		{"connections", []breakdown.Part{part("tcp", "ESTABLISHED to 10.0.0.5:5432", .9), part("file", "in /tmp", .1)},
			[]string{"net.(*sysDialer).dialTCP", "net.(*TCPListener).accept"}, []string{"os.OpenFile"}},
		{"files that are gone", []breakdown.Part{part("deleted file", "in /tmp", 1)},
			[]string{"os.OpenFile", "syscall.Open"}, []string{"os.Pipe"}},
		{"a child process", []breakdown.Part{part("pidfd", "", .5), part("pipe", "", .5)},
			[]string{"os.StartProcess", "os.Pipe"}, nil},
	} {
		got := openersOf(test.parts)
		for _, f := range test.opens {
			if !got[f] {
				t.Errorf("%s: %s is not among %v", test.name, f, slices.Sorted(maps.Keys(got)))
			}
		}
		for _, f := range test.opensNone {
			if got[f] {
				t.Errorf("%s: %s is among them", test.name, f)
			}
		}
	}
	if diff := cmp.Diff(map[string]bool{}, openersOf([]breakdown.Part{part("namespace", "net", 1)})); diff != "" {
		t.Errorf("what nobody knows to open (-want +got):\n%s", diff)
	}
}
