package state

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/lives"
)

// maxBytes is the most that a state may take: what is larger is neither written nor read.
const maxBytes = 64 << 10

const (
	magic   = "leaktrend state"
	version = 1
	// maxAhead is how far after the clock a state may have been written: the clock may have been set right meanwhile.
	maxAhead = time.Hour
)

// Saved is what was learned of one process, as a file keeps it.
type Saved struct {
	Executable string       `json:"executable"`
	Instance   string       `json:"instance"`
	Written    time.Time    `json:"written"`
	PID        int          `json:"pid,omitempty"` // of the latest life; another one is another process
	Record     lives.Record `json:"record"`
	// Alerts are those that were told and hold, by the findings that the record has as open: who watches the next life
	// tells of their end. Where there is no room for all, the least of them are left out.
	Alerts []alerting.Alert `json:"alerts,omitempty"`
	// AlertsLeftOut is how many alerts there was no room for.
	AlertsLeftOut int `json:"alerts_left_out,omitempty"`
	// Receiver identifies the webhook, without its secrets, and Delivered are the ids of the alerts that it accepted:
	// what it did not is told by the next life.
	Receiver  string   `json:"receiver,omitempty"`
	Delivered []string `json:"told,omitempty"`
	// Fingerprints are those that had an incident, the latest last: they are not new to the next life.
	Fingerprints []string `json:"fingerprints,omitempty"`
}

var (
	// ErrDamaged says that a state is not, or not all, as it was written.
	ErrDamaged = errors.New("damaged, or not a state of leaktrend")
	// ErrNewer says that a later release of leaktrend wrote a state.
	ErrNewer = errors.New("written by a later release of leaktrend")
	// ErrForeign says that a state is that of another process.
	ErrForeign = errors.New("the state of another process")
	// ErrFuture says that a state was written more than an hour after the present, by the clock.
	ErrFuture = errors.New("written in the future")
	// ErrTooLarge says that a state is over maxBytes.
	ErrTooLarge = errors.New("over the maximum of 64 KB")
)

// Encode returns the text of a state file: a line with version, checksum and length, then JSON. Where that is too much,
// alerts are left out, one after the other: resolved ones first, then by their severity, then the oldest.
func (s Saved) Encode() ([]byte, error) {
	_, text, err := s.fitted()
	return text, err
}

// fitted returns what of the state there is room for, with its text.
func (s Saved) fitted() (Saved, []byte, error) {
	for {
		body, err := json.Marshal(s)
		if err != nil {
			return s, nil, err
		}
		text := fmt.Appendf(nil, "%s %d sha256:%s %d\n", magic, version, sum(body), len(body)+1)
		text = append(append(text, body...), '\n')
		switch {
		case len(text) <= maxBytes:
			return s, text, nil
		case len(s.Alerts) == 0:
			return s, nil, fmt.Errorf("%d bytes: %w", len(text), ErrTooLarge)
		}
		s = s.without(len(text) - maxBytes)
	}
}

// without returns the state without the alerts that matter least: one, and then as long as those that are left take
// some bytes too many for certain.
func (s Saved) without(tooMany int) Saved {
	byMatter := make([]int, len(s.Alerts))
	for i := range byMatter {
		byMatter[i] = i
	}
	slices.SortStableFunc(byMatter, func(i, j int) int { return matter(&s.Alerts[i], &s.Alerts[j]) })
	leave := make([]bool, len(s.Alerts))
	for _, i := range byMatter {
		leave[i] = true
		s.AlertsLeftOut++
		text, err := json.Marshal(s.Alerts[i])
		if tooMany -= len(text) + 1; err != nil || tooMany <= 0 {
			break
		}
	}
	var kept []alerting.Alert
	for i := range s.Alerts {
		if !leave[i] {
			kept = append(kept, s.Alerts[i])
		}
	}
	s.Alerts = kept
	return s
}

// matter orders alerts by how much the next life needs them.
func matter(a, b *alerting.Alert) int {
	holds := func(a *alerting.Alert) int {
		if a.Status == alerting.Resolved {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(holds(a), holds(b)), cmp.Compare(a.Severity, b.Severity), a.Time.Compare(b.Time))
}

func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}

// Decode reads the text of a state file. The error wraps ErrDamaged, ErrNewer or ErrTooLarge.
func Decode(text []byte) (Saved, error) {
	if len(text) > maxBytes {
		return Saved{}, ErrTooLarge
	}
	head, body, complete := bytes.Cut(text, []byte("\n"))
	rest, ours := strings.CutPrefix(string(head), magic+" ")
	fields := strings.Split(rest, " ")
	if !complete || !ours {
		return Saved{}, ErrDamaged
	}
	if n, err := strconv.ParseUint(fields[0], 10, 31); err == nil && n > version {
		return Saved{}, fmt.Errorf("version %d: %w", n, ErrNewer)
	}
	if len(fields) != 3 || fields[0] != strconv.Itoa(version) || fields[2] != strconv.Itoa(len(body)) ||
		!bytes.HasSuffix(body, []byte("\n")) {
		return Saved{}, ErrDamaged
	}
	body = body[:len(body)-1]
	if fields[1] != "sha256:"+sum(body) {
		return Saved{}, ErrDamaged
	}
	var s Saved
	err := json.Unmarshal(body, &s)
	if err == nil {
		err = s.Record.Validate()
	}
	if err != nil {
		return Saved{}, fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	return s, nil
}

// of returns an error where a state is not that of a process, or is from the future.
func (s *Saved) of(key Key, now time.Time) error {
	switch {
	case s.Executable != key.Executable || s.Instance != key.Instance:
		return ErrForeign
	case s.Written.Sub(now) > maxAhead:
		return fmt.Errorf("%s: %w", s.Written.Format(time.RFC3339), ErrFuture)
	}
	return nil
}
