// Package mux has what the host uses of gorilla/mux.
package mux

import (
	"net/http"
	"strings"
)

// Router routes requests.
type Router struct{ mux http.ServeMux }

// Route is one of its routes.
type Route struct {
	router *Router
	path   string
}

// Handle routes one path.
func (r *Router) Handle(path string, handler http.Handler) { r.mux.Handle(path, handler) }

// PathPrefix begins a route of all paths below one.
func (r *Router) PathPrefix(path string) *Route { return &Route{r, path} }

// Handler completes it.
func (r *Route) Handler(handler http.Handler) {
	r.router.mux.Handle(strings.TrimSuffix(r.path, "/")+"/", handler)
}

// ServeHTTP routes a request.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }
