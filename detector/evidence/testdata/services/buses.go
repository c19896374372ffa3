package main

import (
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/segmentio/kafka-go"

	"github.com/mdzesseis/leaktrend/sampler"
)

var busServices = []service{
	{name: "nats-connect", resource: sampler.Goroutines, library: "nats.go", work: publish, call: connectEach},
	{name: "nats-subscribe", resource: sampler.Goroutines, library: "nats.go", work: publish, call: natsSubscribe},
	{name: "kafka-reader", resource: sampler.Goroutines, library: "kafka-go", call: readerEach},
}

func publish(w *world) {
	c := once(w, "nats", func() *nats.Conn { return must(nats.Connect(w.NATS)) })
	for range 4 {
		check(c.Publish("prices", []byte("1")))
	}
	check(c.FlushTimeout(time.Minute))
}

func connectEach(w *world) func() {
	c := must(nats.Connect(w.NATS)) // leak: nats-connect
	check(c.Publish("prices", []byte("2")))
	return c.Close
}

func natsSubscribe(w *world) func() {
	c := once(w, "nats", func() *nats.Conn { return must(nats.Connect(w.NATS)) })
	s := must(c.Subscribe(fmt.Sprint("user.", w.n), func(*nats.Msg) {})) // leak: nats-subscribe
	return func() { _ = s.Unsubscribe() }
}

func readerEach(w *world) func() {
	// leak: kafka-reader
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.Dead}, GroupID: "g", Topic: "orders"})
	return func() { r.Close() }
}
