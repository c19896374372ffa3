//go:build unix

package state

import "os"

// syncDir has a renamed file keep its new name when the power goes, where the file system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
