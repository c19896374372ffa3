package process

import (
	"testing"

	"github.com/mdzesseis/leaktrend/sampler/internal/testchild"
)

// TestChild is what a child runs.
func TestChild(t *testing.T) { testchild.Serve(t, nil) }
