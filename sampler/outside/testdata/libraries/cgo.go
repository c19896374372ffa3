//go:build cgo

package main

import "C"

import "runtime/cgo"

// intoHandles makes handles for C that nobody deletes.
//
//go:noinline
func intoHandles() {
	for i := 0; i < n; i++ {
		cgo.NewHandle(new(item))
	}
}
