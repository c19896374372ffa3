//go:build !linux

package sampler

import "errors"

func becomeBare() error { return errors.ErrUnsupported }
