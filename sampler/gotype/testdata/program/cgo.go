//go:build cgo

package main

// static int answer(void) { return 42; }
import "C"

func init() { other += int(C.answer()) }
