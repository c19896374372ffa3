package outside

// chunk is how many bytes of a memory are looked through at a time.
const chunk = 1 << 20

// hidden is an address that a search keeps. Where a process looks through its own memory, what the search keeps is
// there too, and must not look like what holds the object.
type hidden uint64

func hide(at uint64) hidden { return hidden(^at) }

func (h hidden) address() uint64 { return ^uint64(h) }
