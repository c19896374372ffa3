//go:build !unix

package screen

// suspend does nothing where there is no job control.
func suspend(*scene) {}
