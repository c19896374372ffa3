//go:build !unix

package state

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) {}
