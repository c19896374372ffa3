package recording

// format is one that is recognized by how it begins.
type format struct {
	recognizes func(start []byte) bool
	read       func(t *input, o options) (*gathered, error)
}
