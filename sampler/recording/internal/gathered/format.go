package gathered

import (
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// Format is one that is recognized by how it begins.
type Format struct {
	Recognizes func(start []byte) bool
	Read       func(t *input.Text, o input.Options) (*File, error)
}
