package listings

import (
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A row of a listing takes memory for its cells, not for all that follow each of them as well.
func TestLongRowOfListing(t *testing.T) {
	columns := []string{"PID", "RSS", "COMMAND"}
	long := append([]string{"1"}, strings.Fields(strings.Repeat("1 KB ", 5000)+"x")...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := fitCells(long, columns)
	runtime.ReadMemStats(&after)
	want := []string{"1", "1 KB", strings.Repeat("1 KB ", 4999) + "x"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
		t.Errorf("%d MB allocated", used>>20)
	}
}
