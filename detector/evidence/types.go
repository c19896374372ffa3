package evidence

import (
	"sync"

	"github.com/mdzesseis/leaktrend/sampler/gotype"
)

// newTypes returns what names the Go types that this process allocates at a stack. It reads the program's file on the
// first call.
func newTypes() func(pcs []uintptr) []string {
	reader := sync.OnceValue(func() *gotype.Reader {
		r, err := gotype.New()
		if err != nil {
			return nil // a file that is not as expected, or another system: alerts do without
		}
		return r
	})
	return func(pcs []uintptr) []string {
		if r := reader(); r != nil {
			if name := r.Allocated(pcs); name != "" {
				return []string{name}
			}
		}
		return nil
	}
}
