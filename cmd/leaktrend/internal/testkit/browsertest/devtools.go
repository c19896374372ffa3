package browsertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// patience is how long the browser may take for one thing: its first start on a busy machine takes long.
const patience = 4 * time.Minute

// browser is a running Chromium with one page, spoken to by the DevTools protocol over two pipes: each message is JSON
// and ends with a zero byte.
type browser struct {
	in      *os.File
	session string // of the page; "" while there is none

	mu      sync.Mutex
	next    int
	waiting map[int]chan<- answer
	ended   error
}

type answer struct {
	result json.RawMessage
	err    error
}

// start starts a browser with an empty page, until the test ends. Events of the page are given to happened, one after
// the other.
func start(t testing.TB, happened func(method string, params json.RawMessage)) *browser {
	t.Helper()
	path := find(t)
	profile, err := os.MkdirTemp("", "leaktrend-browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Processes of the browser may still write when the first of them has ended.
		for range 100 {
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Log(err)
	})
	commands, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, answers, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--headless", "--remote-debugging-pipe", "--user-data-dir="+profile, "--no-sandbox",
		"--disable-gpu", "--no-first-run",
		"--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
		"--disable-default-apps", "--disable-dev-shm-usage",
		"--disable-extensions", "--disable-quic", "--disable-sync", "--hide-scrollbars", "--mute-audio",
		"--password-store=basic", "about:blank")
	cmd.ExtraFiles = []*os.File{commands, answers} // 3 and 4 there
	err = cmd.Start()
	commands.Close()
	answers.Close()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{in: in, waiting: make(map[int]chan<- answer)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out, happened)
	}()
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		out.Close()
		<-read
	})
	if err := b.open(); err != nil {
		t.Fatal(err)
	}
	return b
}

// find returns where Chromium is.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on the PATH (Debian package chromium)")
	return ""
}

// open makes the page that all later commands are for.
func (b *browser) open() error {
	var target struct{ TargetID string }
	result, err := b.call("Target.createTarget", parameters{"url": "about:blank"})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(result, &target); err != nil {
		return err
	}
	var attached struct{ SessionID string }
	if result, err = b.call("Target.attachToTarget",
		parameters{"targetId": target.TargetID, "flatten": true}); err != nil {
		return err
	}
	if err := json.Unmarshal(result, &attached); err != nil {
		return err
	}
	b.session = attached.SessionID
	return nil
}

// call carries out a command and waits for its result.
func (b *browser) call(method string, params parameters) (json.RawMessage, error) {
	answered := make(chan answer, 1)
	b.mu.Lock()
	if b.ended != nil {
		b.mu.Unlock()
		return nil, b.ended
	}
	b.next++
	id := b.next
	b.waiting[id] = answered
	b.mu.Unlock()
	message, err := json.Marshal(struct {
		ID        int        `json:"id"`
		Method    string     `json:"method"`
		Params    parameters `json:"params,omitempty"`
		SessionID string     `json:"sessionId,omitempty"`
	}{id, method, params, b.session})
	if err != nil {
		return nil, err
	}
	if _, err := b.in.Write(append(message, 0)); err != nil {
		return nil, err
	}
	select {
	case a := <-answered:
		return a.result, a.err
	case <-time.After(patience):
		return nil, errors.New("no answer in " + patience.String())
	}
}

// read hands out what the browser says until it ends.
func (b *browser) read(out *os.File, happened func(method string, params json.RawMessage)) {
	messages := bufio.NewReader(out)
	for {
		text, err := messages.ReadBytes(0)
		if err != nil {
			b.end(fmt.Errorf("the browser has ended: %w", err))
			return
		}
		var m struct {
			ID             int
			Method         string
			Params, Result json.RawMessage
			Error          *struct{ Message string }
		}
		if err := json.Unmarshal(text[:len(text)-1], &m); err != nil {
			b.end(err)
			return
		}
		if m.ID == 0 {
			happened(m.Method, m.Params)
			continue
		}
		a := answer{result: m.Result}
		if m.Error != nil {
			a.err = errors.New(m.Error.Message)
		}
		b.mu.Lock()
		answered := b.waiting[m.ID]
		delete(b.waiting, m.ID)
		b.mu.Unlock()
		answered <- a
	}
}

// end tells everybody who waits that there will be no answer.
func (b *browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = err
	for id, answered := range b.waiting {
		answered <- answer{err: err}
		delete(b.waiting, id)
	}
}
