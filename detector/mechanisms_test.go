package detector_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
)

// Ways in which Go programs leak. Each is run in a process of its own, whose monitor must name the marked line.

// world is what the mechanisms use, and what keeps what they leak.
type world struct {
	url     string // of a server outside the process
	address string // of a listener outside the process
	client  *http.Client
	index   map[string][]byte
	list    [][]byte
	files   []*os.File
	conns   []net.Conn
	busy    sync.WaitGroup
	pool    chan func()
	polls   map[int]chan struct{} // what long polls wait for, by the step that ends them
	n       int
}

func leakSend(*world) {
	results := make(chan int)
	go func() {
		results <- 42 // leak: send
	}()
}

func leakReceive(*world) {
	orders := make(chan int)
	go func() {
		for range orders { // leak: receive
		}
	}()
}

func leakSelect(*world) {
	a, b := make(chan int), make(chan string)
	go func() {
		for {
			select { // leak: select
			case <-a:
			case <-b:
			}
		}
	}()
}

func leakTicker(*world) {
	ticker := time.NewTicker(time.Second)
	go func() {
		for range ticker.C { // leak: ticker
		}
	}()
}

func leakBody(w *world) {
	resp, err := w.client.Get(w.url) // leak: body
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
	}
}

func leakMutex(*world) {
	account := new(struct{ sync.Mutex })
	account.Lock()
	go func() {
		account.Lock() // leak: mutex
		defer account.Unlock()
	}()
}

func leakContext(*world) {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	go func() {
		<-ctx.Done() // leak: context
	}()
}

func leakMap(w *world) {
	w.n++
	w.index[fmt.Sprint("session ", w.n)] = make([]byte, 64<<10) // leak: map
}

func leakSlice(w *world) {
	w.list = append(w.list, make([]byte, 64<<10)) // leak: slice
}

// node is part of a circle, in which no finalizer runs.
type node struct {
	next *node
	_    [64 << 10]byte
}

func leakFinalizer(*world) {
	a := &node{next: new(node)} // leak: finalizer
	a.next.next = a
	runtime.SetFinalizer(a, func(*node) {})
}

func leakFile(w *world) {
	if f, err := os.Open(os.DevNull); err == nil { // leak: file
		w.files = append(w.files, f)
	}
}

func leakConnection(w *world) {
	if c, err := net.Dial("tcp", w.address); err == nil { // leak: connection
		w.conns = append(w.conns, c)
	}
}

// What looks like a leak for a while, or from afar.

func healthyPool(w *world) { // grows to its cap under load
	if w.n++; w.n <= 60 {
		go func() {
			for job := range w.pool {
				job()
			}
		}()
	}
}

func healthyCache(w *world) { // fills to its cap
	if w.n++; w.n <= 60 {
		w.index[fmt.Sprint(w.n)] = make([]byte, 256<<10)
	}
	w.index[fmt.Sprint(1+w.n%60)] = make([]byte, 256<<10)
}

func healthyLongPoll(w *world) { // some wait, for longer and shorter
	w.n++
	if over := w.polls[w.n]; over != nil {
		close(over)
		delete(w.polls, w.n)
	}
	end := w.n + 10 + w.n*7919%997%30
	if w.polls[end] == nil {
		w.polls[end] = make(chan struct{})
	}
	go func(over chan struct{}) {
		<-over
	}(w.polls[end])
}

func healthyKeepAlive(w *world) { // connections that stand idle until they are used again
	w.n++
	for range 1 + w.n%8 {
		w.busy.Add(1)
		go func() {
			defer w.busy.Done()
			if resp, err := w.client.Get(w.url); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}()
	}
	w.busy.Wait()
}

// mechanism is one way to leak, or to look like it.
type mechanism struct {
	name     string
	step     func(*world)
	resource string
	proven   bool // where the runtime has the goroutineleak profile
	held     bool // memory that was live after two collections
	through  string
	openFD   bool
}

var mechanisms = []mechanism{
	{name: "send", step: leakSend, resource: sampler.Goroutines, proven: true},
	{name: "receive", step: leakReceive, resource: sampler.Goroutines, proven: true},
	{name: "select", step: leakSelect, resource: sampler.Goroutines, proven: true},
	{name: "ticker", step: leakTicker, resource: sampler.Goroutines}, // the timer may wake it
	{name: "body", step: leakBody, resource: sampler.Goroutines, through: "net/http.(*Client).Get", openFD: true},
	{name: "mutex", step: leakMutex, resource: sampler.Goroutines, proven: true},
	{name: "context", step: leakContext, resource: sampler.Goroutines, proven: true},
	{name: "map", step: leakMap, resource: sampler.HeapLiveBytes, held: true},
	{name: "slice", step: leakSlice, resource: sampler.HeapLiveBytes, held: true},
	{name: "finalizer", step: leakFinalizer, resource: sampler.HeapLiveBytes, held: true},
	{name: "file", step: leakFile, resource: sampler.OpenFDs, through: "os.Open", openFD: true},
	{name: "connection", step: leakConnection, resource: sampler.OpenFDs, through: "net.Dial", openFD: true},
	{name: "pool", step: healthyPool},
	{name: "cache", step: healthyCache},
	{name: "long poll", step: healthyLongPoll},
	{name: "keep-alive", step: healthyKeepAlive},
}

const (
	mechanismEnv   = "LEAKTREND_TEST_MECHANISM"
	healthySamples = 900 // that a process is watched for which does not leak: the soak and a little more
)

// mechanismResult is what the process of a mechanism tells on its standard output.
type mechanismResult struct {
	CanProve bool
	Alerts   []alerting.Alert
	Cost     detector.EvidenceCost
}

// TestMechanismChild is what the process of a mechanism runs; it does nothing in an ordinary run.
func TestMechanismChild(t *testing.T) {
	name := os.Getenv(mechanismEnv)
	if name == "" {
		t.Skip("runs in a child process")
	}
	w := &world{
		url: os.Getenv("LEAKTREND_TEST_URL"), address: os.Getenv("LEAKTREND_TEST_ADDRESS"),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: time.Second}},
		index:  map[string][]byte{}, pool: make(chan func()), polls: map[int]chan struct{}{},
	}
	var m mechanism
	for _, m = range mechanisms {
		if m.name == name {
			break
		}
	}
	// What the test program allocates before it begins is not sampled as finely: thousands of lines of tables would
	// make each profile cost more than there is to spend.
	runtime.MemProfileRate = 64 << 10 // bytes from one sample of the heap to the next
	if m.through != "" {
		runtime.MemProfileRate = 512 // so that small things like files are seen
	}
	config := detector.DefaultConfig()
	config.CheckInterval, config.Adaptive.Soak = 50*time.Millisecond, 40*time.Second
	if m.resource == "" { // there is no profile to wait for
		config.CheckInterval, config.Adaptive.Soak = 20*time.Millisecond, 16*time.Second
	}
	monitor, err := detector.NewMonitor(config, silent())
	if err != nil {
		t.Fatal(err)
	}
	result := mechanismResult{CanProve: pprof.Lookup("goroutineleak") != nil}
	found := make(chan alerting.Alert, 100)
	monitor.OnAlert(func(a alerting.Alert) { found <- a })
	if m.resource == "" { // healthy from the start on, as a service is that was there before
		for range 100 {
			m.step(w)
		}
	}
	samples, begun, over := 0, false, make(chan struct{})
	// The process does as much from sample to sample on a busy machine as on an idle one.
	monitor.OnSample(func(*sampler.Sample) {
		samples++
		if m.resource == "" && samples == healthySamples {
			close(over)
		}
		// A leak begins when it is known how the process was before: by 60 samples, and by profiles of both kinds.
		begun = begun || m.resource == "" || samples > 60 && monitor.EvidenceCost().Profiles >= 10
		for range 2 {
			if begun {
				m.step(w)
			}
		}
		if samples%5 == 0 {
			runtime.GC() // as a service does that allocates more than this one
		}
	})
	if err := monitor.Start(); err != nil {
		t.Fatal(err)
	}
	for ended := false; !ended; {
		select {
		case a := <-found:
			result.Alerts = append(result.Alerts, a)
			ended = a.Resource == m.resource
		case <-over:
			ended = true
		}
	}
	_ = monitor.Stop()
	result.Cost = monitor.EvidenceCost()
	out, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("result: %s\n", out)
	runtime.KeepAlive(w)
}

// leakLines returns the lines of this file that are marked with "// leak: NAME".
func leakLines(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile("mechanisms_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		if _, name, found := strings.Cut(line, "// leak: "); found {
			lines[name] = i + 1
		}
	}
	return lines
}

func (m *mechanism) run(t *testing.T, url, address string) (r mechanismResult, err error) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMechanismChild$")
	cmd.Env = append(os.Environ(), mechanismEnv+"="+m.name, "LEAKTREND_TEST_URL="+url, "LEAKTREND_TEST_ADDRESS="+
		address,
		"GOMAXPROCS=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("%w\n%s", err, out)
	}
	_, text, found := strings.Cut(string(out), "result: ")
	text, _, _ = strings.Cut(text, "\n")
	if !found {
		return r, fmt.Errorf("no result:\n%s", out)
	}
	return r, json.Unmarshal([]byte(text), &r)
}

// late reports whether the alert came without its evidence.
func (r *mechanismResult) late(through string) bool {
	if len(r.Alerts) == 0 {
		return false
	}
	all := r.Alerts[len(r.Alerts)-1].Sites
	return len(all) == 0 || through != "" && all[0].Via == "" // memory had not told yet which line called
}

// mayGoOn reports whether there is more than a minute left of the test's time.
func mayGoOn(t *testing.T) bool {
	deadline, limited := t.Deadline()
	return !limited || time.Until(deadline) > time.Minute
}

// fault says what is wrong with the alert on a leak; "" where it names the line.
func (m *mechanism) fault(r mechanismResult, line int) string {
	if len(r.Alerts) == 0 {
		return "no alert"
	}
	a := r.Alerts[len(r.Alerts)-1]
	if len(a.Sites) == 0 {
		return "no sites: " + a.Summary
	}
	type verdict struct {
		Resource string
		Line     string
		Proven   bool
		Held     bool
		Via      string
	}
	s := a.Sites[0]
	got := verdict{a.Resource, fmt.Sprintf("%s:%d", filepath.Base(s.File), s.Line), s.Proven, s.Held, s.Via}
	want := verdict{m.resource, fmt.Sprintf("mechanisms_test.go:%d", line), m.proven, m.held, m.through}
	if m.resource == sampler.Goroutines && !r.CanProve {
		want.Proven = false
	}
	if m.through != "" {
		got.Held = false // of the memory that tells, which depends on the sampling
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Sprintf("%s (-want +got):\n%s", a.Summary, diff)
	}
	if !strings.Contains(a.Summary, got.Line) {
		return "the summary does not name the line: " + a.Summary
	}
	return ""
}

// The alert on each of these leaks names the line of code, and what does not leak gives none.
func TestMechanisms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute of real time")
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 8<<10))
	}))
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	lines := leakLines(t)
	results := make([]mechanismResult, len(mechanisms))
	faults := make([]error, len(mechanisms))
	var running sync.WaitGroup
	slots := make(chan struct{}, 6) // more at once would keep one another from the processor
	for i, m := range mechanisms {
		if m.openFD && m.resource == sampler.OpenFDs && runtime.GOOS != "linux" {
			continue // descriptors are counted on Linux only
		}
		running.Add(1)
		go func() {
			defer running.Done()
			slots <- struct{}{}
			// An alert whose evidence a busy machine does not bring within its time goes out without: that is another
			// run.
			for again := true; again; again = faults[i] == nil && m.resource != "" && results[i].late(m.through) &&
				mayGoOn(t) {
				results[i], faults[i] = m.run(t, server.URL, listener.Addr().String())
			}
			<-slots
		}()
	}
	running.Wait()
	for i, m := range mechanisms {
		t.Run(m.name, func(t *testing.T) {
			r := results[i]
			if faults[i] != nil {
				t.Fatal(faults[i])
			}
			t.Logf("%+v", r.Cost)
			if m.resource == "" {
				for _, a := range r.Alerts {
					if a.Resource == sampler.RSSBytes {
						continue // the race detector's own memory grows with what the program touches
					}
					t.Errorf("an alert: %s", a.Summary)
				}
				return
			}
			if fault := m.fault(r, lines[m.name]); fault != "" {
				t.Fatal(fault)
			}
			t.Log(r.Alerts[len(r.Alerts)-1].Summary)
		})
	}
}
