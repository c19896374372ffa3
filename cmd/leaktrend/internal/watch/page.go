package watch

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// ServePage serves the live page of a monitor at /debug/leaks/ until end is called, and returns its whole address. listen is
// a host and port; port 0 is any that is free.
func ServePage(listen string, monitor *detector.ResourceMonitor) (address string, end func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("--listen %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/leaks/", monitor.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Close below
	}()
	return "http://" + l.Addr().String() + "/debug/leaks/", func() {
		server.Close()
		<-served
	}, nil
}
