package detector

import "syscall"

func mountSmall(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k") }
func unmount(dir string) error    { return syscall.Unmount(dir, 0) }
