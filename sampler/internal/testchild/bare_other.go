//go:build !linux

package testchild

import "errors"

func becomeBare() error { return errors.ErrUnsupported }
