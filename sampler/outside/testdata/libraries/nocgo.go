//go:build !cgo

package main

func intoHandles() {}
