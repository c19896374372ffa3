package procmem

// Chunk is how many bytes of memory are searched at a time.
const Chunk = 1 << 20

// Hidden is an address that a search keeps. Where a process looks through its own memory, what the search keeps is
// there too, and must not look like what holds the object.
type Hidden uint64

// Hide hides an address.
func Hide(at uint64) Hidden { return Hidden(^at) }

// Address returns the address.
func (h Hidden) Address() uint64 { return ^uint64(h) }
