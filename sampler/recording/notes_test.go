package recording

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/sampler"
)

// What a process runs is noted when it changes, and does not hold for the next process.
func TestBuildNotes(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out, Header{})
	var want []sampler.Sample
	for i, s := range []sampler.Sample{
		{Start: at(1, 0), Version: "2.0", Revision: "abc"},
		{Start: at(1, 0), Version: "2.0", Revision: "abc"},
		{Start: at(20, 0)},
		{Start: at(30, 0), Version: "2.1"},
		{Start: at(40, 0), Version: "2.1", Revision: "def"},
	} {
		s.Time = at(100+int64(i), 0)
		s.Add("a", float64(i))
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
		want = append(want, s)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "# version: "); n != 3 {
		t.Errorf("%d notes of versions, want 3:\n%s", n, &out)
	}
	r, err := NewReader(&out, "a.csv")
	if err != nil {
		t.Fatal(err)
	}
	var got []sampler.Sample
	for {
		var s sampler.Sample
		if err := r.Sample(t.Context(), &s); err != nil {
			break
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
