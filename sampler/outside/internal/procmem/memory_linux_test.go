package procmem

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// What cannot be read keeps nothing beside it from being read.
func TestHoles(t *testing.T) {
	page := os.Getpagesize()
	area, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := range area {
		area[i] = byte(i % 251)
	}
	at := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(area))))
	if _, _, errno := syscall.Syscall(syscall.SYS_MUNMAP, uintptr(at)+uintptr(page), uintptr(page), 0); errno != 0 {
		t.Fatal(errno)
	}
	m, err := Open("/proc/self", os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	places := []int{2*page + 8, 0, page - 4, page - 8, page + 100, 2 * page, 3*page - 8, page - 300}
	for _, slow := range []bool{false, true} {
		m.Slow = slow
		var parts []Part
		for _, offset := range places {
			parts = append(parts, Part{At: at + uint64(offset), To: make([]byte, 8)})
		}
		parts = append(parts, Part{At: 8, To: make([]byte, 8)}, Part{At: 1<<64 - 8, To: make([]byte, 8)})
		m.Gather(parts)
		for i, offset := range places {
			// The second page is not there, and a place that reaches into it neither.
			want := offset+8 <= page || offset >= 2*page
			if parts[i].Read != want || want && parts[i].To[3] != byte((offset+3)%251) {
				t.Errorf("slow %v, at %d: %v %v, want %v", slow, offset, parts[i].Read, parts[i].To, want)
			}
		}
		if parts[len(places)].Read || parts[len(places)+1].Read {
			t.Errorf("slow %v: what is not there was read", slow)
		}
	}
}
