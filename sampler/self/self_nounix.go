//go:build !unix && !windows

package self

import "errors"

func cpuSeconds() (float64, error) { return 0, errors.ErrUnsupported }
