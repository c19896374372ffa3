package alerting

import "slices"

// Holder is what keeps memory alive, or descriptors open.
type Holder struct {
	Text string // as in "main.sessions (map[string]*main.session), 1,204,113 entries"; "" where that is not known
	Path *Path  // nil where it is not known
	All  int    // objects of Go that have a descriptor, of the kind that was asked for; 0 for memory
}

// Path is the path from what keeps memory alive, or descriptors open, to the objects: the one that most of those
// inspected share.
type Path struct {
	Objects int     `json:"objects"` // that were inspected
	Share   float64 `json:"share"`   // of these that the first step holds at the least, 0 to 1
	Steps   []Step  `json:"steps"`   // from what holds them to what is held
}

// Step is one step of a path.
type Step struct {
	// Kind is variable, goroutine, timers or finalizers for the first step, and object or function, which is one with
	// the variables that it refers to, for the others.
	Kind string `json:"kind"`
	// Name is that of a variable or a function, and says what the timers and finalizers are; "" for an object.
	Name string `json:"name,omitempty"`
	// Variable is that of the goroutine's function in which it has what it holds; "" where it is not certain, and for
	// all else.
	Variable string `json:"variable,omitempty"`
	// of the variable, or the object, in Go's words, as in *app.Session; "" where it is not known
	Type string `json:"type,omitempty"`
	// File and Line are where a goroutine has what it holds, a function begins, and the memory of the last step was
	// allocated.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Size uint64 `json:"size_bytes,omitempty"` // of one object
	// Reference is what of the step leads to the next one, as in ".byID[…].buffer"; "" for the last step, and where it
	// is not known.
	Reference string `json:"reference,omitempty"`
	Container string `json:"container,omitempty"` // type of the map, slice, channel or the like that this leads through
	Entries   int64  `json:"entries,omitempty"`   // of the container, as it was read
	// how many alike follow each other at least, as in a linked list; absent for one
	Repeated int `json:"repeated,omitempty"`
	// Share of the objects that were looked at, to which the way leads up to here, 0 to 1.
	Share float64 `json:"share"`
	Bytes float64 `json:"bytes,omitempty"` // live memory of the line that hangs below the step, by its share
	// Accumulates marks where the ways to most of the objects part: what the step refers to is what grows.
	Accumulates bool `json:"accumulates,omitempty"`
}

// Clone returns a copy that shares no memory with p; nil for none.
func (p *Path) Clone() *Path {
	if p == nil {
		return nil
	}
	c := *p
	c.Steps = slices.Clone(p.Steps)
	return &c
}
