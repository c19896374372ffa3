package watch

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

// pagePath is where the page is, as in a service that embeds the monitor.
const pagePath = "/debug/leaks/"

// ServePage serves the live page of a monitor at /debug/leaks/ until end is called, and returns its whole address.
// listen is a host and port; port 0 is any that is free.
func ServePage(listen string, monitor *detector.ResourceMonitor) (address string, end func(), err error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return "", nil, fmt.Errorf("--listen %s: %w", listen, err)
	}
	mux := http.NewServeMux()
	mux.Handle(pagePath, monitor.Handler())
	mux.Handle("GET /{$}", http.RedirectHandler(pagePath, http.StatusTemporaryRedirect))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // ends with Close below
	}()
	return "http://" + l.Addr().String() + pagePath, func() {
		server.Close()
		<-served
	}, nil
}
