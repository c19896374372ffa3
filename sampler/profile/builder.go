package profile

import "time"

// Builder reduces the stacks of another process to a Profile.
type Builder struct {
	kind    Kind
	profile Profile
	entries map[Frame]*built
	order   []*built
}

// built is a site of a Builder, and the stack with the most there.
type built struct {
	site         Site
	count, bytes float64
	top          [2]float64 // bytes and count
}

// NewBuilder returns an empty builder.
func NewBuilder(kind Kind) *Builder { return &Builder{kind: kind, entries: make(map[Frame]*built)} }

// Add counts what is on one stack, innermost frame first. It keeps the stack.
func (b *Builder) Add(stack []Frame, count, bytes float64) {
	if count == 0 && bytes == 0 {
		return
	}
	s := siteOf(stack, b.kind)
	e := b.entries[s.Frame]
	if e == nil {
		e = new(built)
		b.entries[s.Frame] = e
		b.order = append(b.order, e)
	}
	e.count += count
	e.bytes += bytes
	if bytes > e.top[0] || bytes == e.top[0] && count > e.top[1] {
		e.top = [2]float64{bytes, count}
		e.site = s
		e.site.entry = &entry{frames: stack}
	}
	b.profile.Count += count
	b.profile.Bytes += bytes
}

// AddSampled counts what the sampled objects on one stack of the heap represent: one for rate bytes that were
// allocated.
func (b *Builder) AddSampled(stack []Frame, count, bytes, rate float64) {
	count, bytes = Scaled(count, bytes, rate)
	b.Add(stack, count, bytes)
}

// Profile returns the profile of what was added, as taken at an instant.
func (b *Builder) Profile(at time.Time) *Profile {
	p := b.profile
	p.Kind, p.Time = b.kind, at.UTC()
	for _, e := range b.order {
		s := e.site
		s.Count, s.Bytes = e.count, e.bytes
		p.Sites = append(p.Sites, s)
	}
	p.sort()
	return &p
}
