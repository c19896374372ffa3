package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"sync"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
)

const (
	maxFiles     = 64               // that wait
	maxFileBytes = 32 << 20         // of these together
	fileTimeout  = 30 * time.Second // of one attempt
	// after which a file is given up: half an hour or so, the waits growing to 5 minutes
	fileAttempts  = 12
	firstFileWait = time.Second
	lastFileWait  = 5 * time.Minute
)

// File is a capture to be posted.
type File struct {
	Name     string // without a directory
	Type     string // of its content, as in text/plain
	Resource string // of the finding
	AlertID  string // of the finding
	Data     []byte // not written to any more
}

type waitingFile struct {
	File
	number uint64
}

// UploadStats says how an Uploader fares. The counts are since it was made.
type UploadStats struct {
	Posted    int    `json:"posted"`
	Dropped   int    `json:"dropped"` // given up, or for which there was no room
	Waiting   int    `json:"waiting"` // 0 to 64
	LastError string `json:"last_error,omitempty"`
}

// Uploader posts captures to an address, one after the other: each as the body of a POST, with its name in
// Content-Disposition, and X-Leaktrend-Resource and X-Leaktrend-Alert beside it. What fails is tried again for about
// half an hour, also where it is refused, as somebody may mend the receiver. 64 files of 32 MiB in all may wait; the
// oldest give way. It has a goroutine only while there is something to post. Its errors show of the address only scheme
// and host. The zero value has no address and keeps nothing. It is safe for concurrent use.
type Uploader struct {
	// OnChange is called when posting begins to fail, with why, or works again, with nil; nil for nobody. It should
	// return soon. Set it before Use.
	OnChange func(error)

	mu      sync.Mutex
	to      *poster       // nil for nowhere
	waiting []waitingFile // the oldest first
	added   uint64        // files so far
	bytes   int
	active  bool
	failing bool
	ending  context.Context // of the goroutine's work; nil before the first
	end     context.CancelFunc
	idle    chan struct{} // closed when the goroutine has ended
	stats   UploadStats
}

// Use sets the address; the empty one is for nowhere, and what waits is dropped. The error says what is wrong with it
// without repeating it. Redirects are not followed.
func (u *Uploader) Use(address string) error {
	var to *poster
	if address != "" {
		target, err := webURL(address)
		if err != nil {
			return fmt.Errorf("alerting: capture URL %w", err)
		}
		p := newPoster(target, clientOf(&Config{}))
		p.what, p.client.Timeout = "capture URL", fileTimeout
		to = &p
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.to != nil {
		u.to.client.CloseIdleConnections()
	}
	u.to = to
	if to == nil {
		u.stats.Dropped += len(u.waiting)
		u.waiting, u.bytes = nil, 0
	}
	return nil
}

// Posts reports whether there is an address.
func (u *Uploader) Posts() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.to != nil
}

// Add has a file posted. It returns at once.
func (u *Uploader) Add(f File) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.to == nil {
		return
	}
	if len(f.Data) > maxFileBytes {
		u.stats.Dropped++
		return
	}
	u.added++
	u.waiting, u.bytes = append(u.waiting, waitingFile{f, u.added}), u.bytes+len(f.Data)
	for len(u.waiting) > maxFiles || u.bytes > maxFileBytes {
		u.drop()
		u.stats.Dropped++
	}
	if !u.active {
		u.active, u.idle = true, make(chan struct{})
		u.ending, u.end = context.WithCancel(context.Background())
		go u.pass(u.ending, u.idle)
	}
}

// drop removes the oldest. It needs u.mu.
func (u *Uploader) drop() {
	u.bytes -= len(u.waiting[0].Data)
	u.waiting[0] = waitingFile{} // or its data stays with those behind it
	u.waiting = u.waiting[1:]
}

// Stats returns how it fares.
func (u *Uploader) Stats() UploadStats {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.stats
	s.Waiting = len(u.waiting)
	return s
}

// Flush waits until nothing waits any more or ctx ends, and then ends the work: what is left is dropped.
func (u *Uploader) Flush(ctx context.Context) {
	u.mu.Lock()
	idle, end, active := u.idle, u.end, u.active
	u.mu.Unlock()
	if !active {
		return
	}
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	u.mu.Lock()
	u.stats.Dropped += len(u.waiting)
	u.waiting, u.bytes = nil, 0
	u.mu.Unlock()
	end()
	<-idle
}

// pass posts what waits, and ends when nothing does.
func (u *Uploader) pass(ctx context.Context, idle chan struct{}) {
	defer close(idle)
	attempts := 0
	for {
		u.mu.Lock()
		if ctx.Err() != nil { // also what joined meanwhile
			u.stats.Dropped += len(u.waiting)
			u.waiting, u.bytes = nil, 0
		}
		if len(u.waiting) == 0 || u.to == nil {
			u.waiting, u.active = nil, false
			if u.to != nil {
				u.to.client.CloseIdleConnections()
			}
			u.end()
			u.mu.Unlock()
			return
		}
		f, to := u.waiting[0], u.to
		u.mu.Unlock()

		err := to.file(ctx, f.File)
		if ctx.Err() == nil {
			attempts++
			u.report(err)
		}
		over := err == nil || attempts == fileAttempts
		u.mu.Lock()
		if err == nil {
			u.stats.Posted++
		}
		if over && len(u.waiting) > 0 && u.waiting[0].number == f.number {
			u.drop()
			if err != nil {
				u.stats.Dropped++
			}
		}
		u.mu.Unlock()
		if over {
			attempts = 0
		}
		if err != nil {
			u.wait(ctx, attempts, err)
		}
	}
}

// wait waits before the next attempt: for as long as the receiver asks, else ever longer, and not once ctx has ended.
func (u *Uploader) wait(ctx context.Context, attempts int, err error) {
	d := min(firstFileWait<<min(max(attempts, 1)-1, 20), lastFileWait)
	d = d/2 + rand.N(d/2+1)
	var later *alerting.RetryAfterError
	if errors.As(err, &later) {
		d = max(d, later.After)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// report keeps an error, and tells when posting begins to fail or works again.
func (u *Uploader) report(err error) {
	u.mu.Lock()
	changed := u.failing != (err != nil)
	u.failing = err != nil
	if err != nil {
		u.stats.LastError = err.Error()
	}
	u.mu.Unlock()
	if changed && u.OnChange != nil {
		u.OnChange(err)
	}
}

// file posts a file.
func (p *poster) file(ctx context.Context, f File) error {
	ctx, cancel := context.WithTimeout(ctx, fileTimeout)
	defer cancel()
	return p.send(ctx, f.Data, http.Header{
		"Content-Type":         {f.Type},
		"Content-Disposition":  {mime.FormatMediaType("attachment", map[string]string{"filename": f.Name})},
		"X-Leaktrend-Resource": {f.Resource},
		"X-Leaktrend-Alert":    {f.AlertID},
	})
}
