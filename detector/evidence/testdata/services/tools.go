package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/patrickmn/go-cache"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/mdzesseis/leaktrend/sampler"
)

var toolServices = []service{
	{name: "fsnotify-watcher", resource: sampler.Goroutines, library: "fsnotify", work: watchOne, call: watcherEach,
		rate: 1, hold: 5},
	{name: "lumberjack-logger", resource: sampler.Goroutines, library: "lumberjack", work: writeLog, call: loggerEach,
		endless: true},
	{name: "cron-each", resource: sampler.Goroutines, library: "robfig/cron", work: schedule, call: cronEach},
	{name: "go-cache-each", resource: sampler.Goroutines, library: "go-cache", work: lookUp, call: cacheEach},
	{name: "lru-expirable-each", resource: sampler.Goroutines, library: "golang-lru", call: lruEach, endless: true},
	{name: "otel-provider", resource: sampler.Goroutines, library: "otel/sdk", work: span, call: providerEach},
	{name: "prometheus-labels", resource: sampler.HeapLiveBytes, library: "client_golang", work: count, call: newLabel,
		rate: 40, hold: 200},
}

func watchOne(w *world) {
	watcher := once(w, "watcher", func() *fsnotify.Watcher {
		watcher, _ := fsnotify.NewWatcher()
		return watcher
	})
	if watcher == nil {
		return // the system has few of them
	}
	check(watcher.Add(w.dir))
	check(watcher.Remove(w.dir))
}

func watcherEach(w *world) func() {
	watcher, err := fsnotify.NewWatcher() // leak: fsnotify-watcher
	if err != nil {
		return func() {} // the system has few of them
	}
	check(watcher.Add(w.dir)) // or: fsnotify-watcher
	return func() { watcher.Close() }
}

func writeLog(w *world) {
	l := once(w, "log", func() *lumberjack.Logger {
		return &lumberjack.Logger{Filename: filepath.Join(w.dir, "one.log"), MaxSize: 1, MaxBackups: 2}
	})
	for range 4 {
		must(l.Write(make([]byte, 1<<10)))
	}
}

func loggerEach(w *world) func() {
	l := &lumberjack.Logger{Filename: filepath.Join(w.dir, fmt.Sprint(w.n, ".log"))} // or: lumberjack-logger
	must(l.Write([]byte("started\n")))                                               // leak: lumberjack-logger
	return func() { l.Close() }
}

func schedule(w *world) {
	c := once(w, "cron", func() *cron.Cron {
		c := cron.New()
		c.Start()
		return c
	})
	c.Remove(must(c.AddFunc("@hourly", func() {})))
}

func cronEach(*world) func() {
	c := cron.New()
	must(c.AddFunc("@hourly", func() {}))
	c.Start() // leak: cron-each
	return func() { c.Stop() }
}

func lookUp(w *world) {
	c := once(w, "cache", func() *cache.Cache { return cache.New(time.Second, time.Second) })
	for i := range 10 {
		c.Set(fmt.Sprint(i), w.n, 0)
	}
}

func cacheEach(w *world) func() {
	c := cache.New(time.Minute, time.Minute) // leak: go-cache-each
	c.Set("a", w.n, 0)
	w.kept = append(w.kept, c)
	return func() { w.kept[0] = nil; w.kept = w.kept[1:] }
}

func lruEach(w *world) func() {
	c := expirable.NewLRU[int, int](100, nil, time.Minute) // leak: lru-expirable-each
	c.Add(1, w.n)
	return func() {}
}

func span(w *world) {
	p := once(w, "tracer", func() *trace.TracerProvider { return trace.NewTracerProvider() })
	for range 4 {
		_, s := p.Tracer("service").Start(context.Background(), "work")
		s.End()
	}
}

func providerEach(*world) func() {
	p := trace.NewTracerProvider(trace.WithBatcher(tracetest.NewNoopExporter())) // leak: otel-provider
	_, s := p.Tracer("service").Start(context.Background(), "request")
	s.End()
	return func() { check(p.Shutdown(context.Background())) }
}

func requests(w *world) *prometheus.CounterVec {
	return once(w, "requests", func() *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total"}, []string{"user"})
	})
}

func count(w *world) {
	for i := range 40 {
		requests(w).WithLabelValues(fmt.Sprint("group ", i)).Inc()
	}
}

func newLabel(w *world) func() {
	user := fmt.Sprint("user ", w.n)
	requests(w).WithLabelValues(user).Inc() // leak: prometheus-labels
	return func() { requests(w).DeleteLabelValues(user) }
}
