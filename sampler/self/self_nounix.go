//go:build !unix && !windows

package sampler

import "errors"

func cpuSeconds() (float64, error) { return 0, errors.ErrUnsupported }
