// Command load sends requests at a set pace, whether or not the earlier ones were answered (an open loop), to HTTP,
// redis or memcached. The pace is a Poisson process whose rate swings in a sine, with bursts on top.
//
//	load -url 'http://127.0.0.1:8080/page?key={key}' -rate 10 -swing 0.6 -period 6m -burst 4 -burst-every 3m \
//	    -burst-for 20s
//	load -url redis://127.0.0.1:6379 -rate 100 -keys 20000 -size 512
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A shape gives the rate of requests over time.
type shape struct {
	rate, swing, burst           float64
	period, burstEvery, burstFor time.Duration
}

// at returns the requests per second at t after the start. The sine starts at its mean and rises.
func (s shape) at(t time.Duration) float64 {
	r := s.rate * (1 + s.swing*math.Sin(2*math.Pi*t.Seconds()/s.period.Seconds()))
	if s.burstEvery > 0 && t%s.burstEvery >= s.burstEvery-s.burstFor {
		r *= s.burst
	}
	return r
}

func (s shape) max() float64 { return s.rate * (1 + s.swing) * max(1, s.burst) }

// A target sends one request for a key and waits for the answer.
type target interface {
	request(key int) error
}

func main() {
	var s shape
	address := flag.String("url", "", "`URL` of the target: http, redis or memcached; {key} in it becomes the key")
	flag.Float64Var(&s.rate, "rate", 10, "mean requests per second")
	flag.Float64Var(&s.swing, "swing", 0, "how far the rate swings about its mean, 0 to 1")
	flag.DurationVar(&s.period, "period", 6*time.Minute, "length of one swing")
	flag.Float64Var(&s.burst, "burst", 1, "factor of the rate within a burst")
	flag.DurationVar(&s.burstEvery, "burst-every", 0, "time between two bursts; 0 = none")
	flag.DurationVar(&s.burstFor, "burst-for", 20*time.Second, "length of a burst")
	keys := flag.Int("keys", 10000, "keys to choose from")
	size := flag.Int("size", 512, "mean `bytes` of a value (redis, memcached)")
	flight := flag.Int("flight", 500, "most requests in flight; what comes on top is dropped and counted")
	idle := flag.Duration("idle", 15*time.Second, "time after which an idle connection is closed")
	hold := flag.Duration("hold", 0, "mean `time` for which a client keeps its connection to itself after the answer "+
		"(redis, memcached)")
	seed := flag.Uint64("seed", 1, "of the times and keys")
	flag.Parse()

	t, err := newTarget(*address, *size, *idle, *hold)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run(ctx, t, s, *keys, *flight, rand.New(rand.NewPCG(*seed, 0)))
}

func run(ctx context.Context, t target, s shape, keys, flight int, rng *rand.Rand) {
	var sent, failed, dropped atomic.Int64
	slots := make(chan struct{}, flight)
	start := time.Now()
	var due time.Duration
	report := time.NewTicker(time.Minute)
	defer report.Stop()
	for {
		// Thinning: candidates come at the highest rate, and each stays with the chance rate / highest.
		due += time.Duration(rng.ExpFloat64() / s.max() * float64(time.Second))
		keep, key := rng.Float64()*s.max() < s.at(due), rng.IntN(keys)
		select {
		case <-ctx.Done():
			return
		case <-report.C:
			log.Printf("sent %d, failed %d, dropped %d", sent.Load(), failed.Load(), dropped.Load())
		case <-time.After(time.Until(start.Add(due))):
		}
		if !keep {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			dropped.Add(1)
			continue
		}
		sent.Add(1)
		go func() {
			defer func() { <-slots }()
			if err := t.request(key); err != nil {
				failed.Add(1)
			}
		}()
	}
}

func newTarget(address string, size int, idle, hold time.Duration) (target, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "http":
		return &httpTarget{address, &http.Client{
			Transport: &http.Transport{MaxIdleConnsPerHost: 200, IdleConnTimeout: idle},
			Timeout:   time.Minute,
		}}, nil
	case "redis", "memcached":
		p := &pool{address: u.Host, idle: idle, hold: hold}
		if u.Scheme == "redis" {
			return &redisTarget{p, size}, nil
		}
		return &memcachedTarget{p, size}, nil
	}
	return nil, fmt.Errorf("load: -url %q: want http, redis or memcached", address)
}

type httpTarget struct {
	url    string
	client *http.Client
}

func (t *httpTarget) request(key int) error {
	resp, err := t.client.Get(strings.ReplaceAll(t.url, "{key}", strconv.Itoa(key)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// redisTarget reads four keys for each that it writes; one write in four is to a list of bounded length.
type redisTarget struct {
	pool *pool
	size int
}

func (t *redisTarget) request(key int) error {
	return t.pool.with(func(c *conn) error {
		switch n := rand.IntN(20); {
		case n >= 4:
			fmt.Fprintf(c, "GET k:%d\r\n", key)
		case n >= 1:
			fmt.Fprintf(c, "SET k:%d %s EX %d\r\n", key, value(t.size), 120+rand.IntN(240))
		default:
			fmt.Fprintf(c, "LPUSH q:%d %s\r\nLTRIM q:%d 0 99\r\n", key%50, value(t.size), key%50)
			if err := c.redisReply(); err != nil {
				return err
			}
		}
		return c.redisReply()
	})
}

// memcachedTarget reads four keys for each that it writes.
type memcachedTarget struct {
	pool *pool
	size int
}

func (t *memcachedTarget) request(key int) error {
	return t.pool.with(func(c *conn) error {
		if rand.IntN(5) == 0 {
			v := value(t.size)
			fmt.Fprintf(c, "set k:%d 0 600 %d\r\n%s\r\n", key, len(v), v)
			_, err := c.line()
			return err
		}
		fmt.Fprintf(c, "get k:%d\r\n", key)
		for {
			line, err := c.line()
			if err != nil || line == "END" {
				return err
			}
			if f := strings.Fields(line); len(f) == 4 {
				if err := c.skip(f[3]); err != nil {
					return err
				}
			}
		}
	})
}

// value is a value of half to one and a half times the mean size.
func value(mean int) string { return strings.Repeat("x", mean/2+rand.IntN(mean+1)) }

// A pool keeps connections for the next request until they were idle for too long.
type pool struct {
	address    string
	idle, hold time.Duration

	mu   sync.Mutex
	free []*conn // the longest idle one first
}

type conn struct {
	net.Conn
	r    *bufio.Reader
	used time.Time
}

func (p *pool) with(f func(*conn) error) error {
	c, err := p.take()
	if err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := f(c); err != nil {
		c.Close()
		return err
	}
	time.Sleep(time.Duration(rand.ExpFloat64() * float64(p.hold)))
	c.used = time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
	for time.Since(p.free[0].used) > p.idle {
		p.free[0].Close()
		p.free = p.free[1:]
	}
	return nil
}

func (p *pool) take() (*conn, error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		c := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := net.Dial("tcp", p.address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReader(c)}, nil
}

func (c *conn) line() (string, error) {
	s, err := c.r.ReadString('\n')
	return strings.TrimSpace(s), err
}

// skip passes over a value of the given length and the line end behind it.
func (c *conn) skip(length string) error {
	n, err := strconv.Atoi(length)
	if err != nil {
		return err
	}
	_, err = c.r.Discard(n + len("\r\n"))
	return err
}

func (c *conn) redisReply() error {
	line, err := c.line()
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(line, "-"):
		return errors.New(line)
	case strings.HasPrefix(line, "$") && line != "$-1":
		return c.skip(line[1:])
	}
	return nil
}
