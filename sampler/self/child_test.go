package self

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
)

// TestChild is what a child runs.
func TestChild(t *testing.T) {
	testchild.Serve(t, map[string]func(*testing.T) string{"resources": func(t *testing.T) string {
		self, err := New()
		if err != nil {
			t.Fatal(err)
		}
		var s sampler.Sample
		if err := self.Sample(context.Background(), &s); err != nil {
			t.Fatal(err)
		}
		readings, err := json.Marshal(s.Readings)
		if err != nil {
			t.Fatal(err)
		}
		if err := self.Close(); err != nil {
			t.Fatal(err)
		}
		return string(readings)
	}})
}
