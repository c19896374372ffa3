package page

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// freshFor is how long a picture serves at most while the monitor stays as it is: it shows ages.
	freshFor = time.Second
	// maxWaiting bounds how many viewers wait for a picture at a time.
	maxWaiting = 1024
)

// pictures are what viewers are shown, each drawn once for all who want the same.
type pictures struct {
	mu      sync.Mutex
	latest  map[pictureKey]*picture
	one     sync.Mutex // is drawn at a time: however many look, they take no more than a core
	waiting atomic.Int64
}

// pictureKey tells pictures apart: what is shown, and over which of the spans.
type pictureKey struct {
	of   string
	span int
}

// picture is what is sent to those who want it.
type picture struct {
	version string
	made    time.Time
	drawn   chan struct{} // closed once it is
	body    []byte
	tag     string // for If-None-Match
	err     error
}

// of returns a picture of the version of the monitor that is asked for, or one that is being drawn, and draws it where
// there is none. It is nil where ctx ended meanwhile, or too many wait.
func (p *pictures) of(ctx context.Context, key pictureKey, version string, draw func() ([]byte, error)) *picture {
	p.mu.Lock()
	now := p.latest[key]
	if now == nil || now.isDrawn() && (now.version != version || time.Since(now.made) > freshFor) {
		now = &picture{version: version, made: time.Now(), drawn: make(chan struct{})}
		if p.latest == nil {
			p.latest = make(map[pictureKey]*picture)
		}
		p.latest[key] = now
		p.mu.Unlock()
		p.draw(key, now, draw)
		return now
	}
	p.mu.Unlock()
	if p.waiting.Add(1) > maxWaiting && !now.isDrawn() {
		p.waiting.Add(-1)
		return nil
	}
	defer p.waiting.Add(-1)
	select {
	case <-now.drawn:
		return now
	case <-ctx.Done():
		return nil
	}
}

func (p *pictures) draw(key pictureKey, now *picture, draw func() ([]byte, error)) {
	done := false
	defer func() {
		if !done { // it panicked: the next viewer tries again
			p.mu.Lock()
			delete(p.latest, key)
			p.mu.Unlock()
			now.err = context.Canceled
		}
		close(now.drawn)
	}()
	p.one.Lock()
	defer p.one.Unlock()
	now.body, now.err = draw()
	sum := sha256.Sum256(now.body)
	now.tag = `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	done = true
}

func (p *picture) isDrawn() bool {
	select {
	case <-p.drawn:
		return true
	default:
		return false
	}
}
