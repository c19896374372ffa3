package main

import (
	"errors"
	"fmt"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/source"
	"github.com/mdzesseis/leaktrend/sampler/profile/remote"
)

// openPprof returns what takes profiles from the address at which the one process of a target serves net/http/pprof; nil for no address.
func openPprof(address string, flags *source.Flags) (*remote.Process, error) {
	if address == "" {
		return nil, nil
	}
	if flags.URL != "" {
		return nil, errors.New("--pprof goes with --pid or --name, not with --url")
	}
	process, err := remote.New(address)
	if err != nil {
		return nil, fmt.Errorf("--pprof: %w", err)
	}
	return process, nil
}
