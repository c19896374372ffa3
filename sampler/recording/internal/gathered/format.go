package gathered

import "github.com/mdzesseis/leaktrend/sampler/recording/internal/input"

// Format is a kind of file.
type Format struct {
	// Recognizes reports whether a text is in this format by its beginning, which is not empty: whole lines as far as
	// there are any.
	Recognizes func(start []byte) bool
	// Read reads a text that was recognized. The error names the format, what is missing, and the way out.
	Read func(t *input.Text, o input.Options) (*File, error)
}
