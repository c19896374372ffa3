package main

import (
	"context"
	"net/rpc"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/mdzesseis/leaktrend/sampler"
)

var rpcServices = []service{
	{name: "grpc-dial", resource: sampler.Goroutines, library: "grpc", work: callHealth, call: dialEach},
	{name: "grpc-stream", resource: sampler.Goroutines, library: "grpc", work: callHealth, call: openStream},
	{name: "net-rpc-dial", resource: sampler.Goroutines, library: "net/rpc", work: callRPC, call: rpcEach},
}

func dialGRPC(w *world) *grpc.ClientConn {
	return must(grpc.NewClient(w.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))) // or: grpc-dial
}

func callHealth(w *world) {
	conn := once(w, "grpc", func() *grpc.ClientConn {
		return must(grpc.NewClient(w.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials())))
	})
	for range 4 {
		must(grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{}))
	}
}

func dialEach(w *world) func() {
	conn := dialGRPC(w)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})) // leak: grpc-dial
	return func() { conn.Close() }
}

func openStream(w *world) func() {
	conn := once(w, "grpc", func() *grpc.ClientConn { return dialGRPC(w) })
	ctx, cancel := context.WithCancel(context.Background())
	// leak: grpc-stream
	stream := must(grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{}))
	must(stream.Recv())
	return cancel
}

func callRPC(w *world) {
	c := once(w, "rpc", func() *rpc.Client { return must(rpc.Dial("tcp", w.RPC)) })
	for range 4 {
		var sum int
		check(c.Call("Adder.Add", [2]int{1, 2}, &sum))
	}
}

func rpcEach(w *world) func() {
	c := must(rpc.Dial("tcp", w.RPC)) // leak: net-rpc-dial
	var sum int
	check(c.Call("Adder.Add", [2]int{1, 2}, &sum)) // or: net-rpc-dial
	return func() { c.Close() }
}
