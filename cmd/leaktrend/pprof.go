package main

import (
	"fmt"

	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler/profile/remote"
)

// followPprof has a monitor take profiles from the address at which its process serves net/http/pprof; "" for none.
func followPprof(monitor *detector.ResourceMonitor, address string) error {
	if address == "" {
		return nil
	}
	process, err := remote.New(address)
	if err != nil {
		return fmt.Errorf("--pprof: %w", err)
	}
	monitor.FollowSites(process)
	return nil
}
