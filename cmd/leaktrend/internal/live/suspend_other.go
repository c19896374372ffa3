//go:build !unix

package live

// suspend does nothing where there is no job control.
func (s *scene) suspend() {}
