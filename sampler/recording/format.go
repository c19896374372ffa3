package recording

import (
	"github.com/mdzesseis/leaktrend/sampler/recording/internal/input"
)

// format is one that is recognized by how it begins.
type format struct {
	recognizes func(start []byte) bool
	read       func(t *input.Text, o input.Options) (*gathered, error)
}
