package state_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector/lives"
	"github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/detector/state/filelock"
)

var (
	now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	key = state.Key{Executable: "worker", Instance: "host-1"}
)

// record returns a record of as many lives of an hour.
func record(n int) *lives.Record {
	r := lives.New(1)
	for i := range n {
		first := now.Add(time.Duration(i-n) * time.Hour)
		track := lives.NewTrack(1)
		for age := time.Duration(0); age < time.Hour; age += time.Minute {
			track.Add(int64(age), 100+age.Minutes())
		}
		r.Add(lives.Life{Start: first, First: first, End: first.Add(59 * time.Minute), Version: "2.1.0",
			Ended:  lives.Replaced,
			Curves: map[string]lives.Curve{"goroutines": track.Curve()}})
	}
	return &r
}

// open opens the state of a key, and closes it again when the test is over.
func open(t *testing.T, dir string) (f *state.File, saved *state.Saved, unusable error) {
	t.Helper()
	f, saved, unusable, err := state.Open(dir, key, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, saved, unusable
}

// fill writes a state, and returns where and with what content.
func fill(t *testing.T, dir string, r *lives.Record, at time.Time) (path string, text []byte) {
	t.Helper()
	f, _, _ := open(t, dir)
	if err := f.Write(state.Saved{Record: *r}, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	return f.Path(), text
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	fill(t, dir, record(1), now)
	path, _ := fill(t, dir, record(3), now)
	_, saved, unusable := open(t, dir)
	want := &state.Saved{Executable: "worker", Instance: "host-1", Written: now, Record: *record(3)}
	if diff := cmp.Diff(want, saved); diff != "" || unusable != nil {
		t.Errorf("%v; (-want +got):\n%s", unusable, diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // with the lock
		t.Errorf("%v: %d files for one process, want 2", err, len(entries))
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]os.FileMode{path: 0o600, path + ".lock": 0o600, dir: 0o700 | os.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v, want %v", name, err, info.Mode(), want)
		}
	}
}

// Whoever is killed while he writes has left what was before, whatever there is of the next.
func TestKilledAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	path, _ := fill(t, dir, record(3), now)
	_, next := fill(t, t.TempDir(), record(1), now)
	f, _, _ := open(t, dir)
	for n := range next {
		if err := os.WriteFile(path+".new", next[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if saved, err := state.Read(path); err != nil || len(saved.Record.Lives) != 3 {
			t.Fatalf("killed after %d bytes: %v", n, err)
		}
	}
	if err := f.Write(state.Saved{Record: *record(1)}, now); err != nil {
		t.Fatal("what a killed writer left is in the way: ", err)
	}
	if saved, err := state.Read(path); err != nil || len(saved.Record.Lives) != 1 {
		t.Errorf("%v: %d lives, want 1", err, len(saved.Record.Lives))
	}
}

// Where the disk itself lost a part of a state, no part of it is taken for the whole.
func TestDecodeDamaged(t *testing.T) {
	_, text := fill(t, t.TempDir(), record(1), now)
	for n := range text {
		if _, err := state.Decode(text[:n]); !errors.Is(err, state.ErrDamaged) {
			t.Fatalf("the first %d bytes of %d: %v", n, len(text), err)
		}
		other := append([]byte(nil), text...)
		other[n] ^= 1
		if _, err := state.Decode(other); !errors.Is(err, state.ErrDamaged) && !errors.Is(err, state.ErrNewer) {
			t.Fatalf("with another byte %d: %v", n, err)
		}
	}
	if _, err := state.Decode(append(text, '\n')); !errors.Is(err, state.ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

// What cannot be used is moved aside, one of it, and the next state takes its place.
func TestUnusable(t *testing.T) {
	_, good := fill(t, t.TempDir(), record(2), now)
	encoded := func(s state.Saved) string {
		text, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	otherForm := *record(2)
	otherForm.Version = 99
	for _, test := range []struct {
		name, text string
		want       error
	}{
		{"empty", "", state.ErrDamaged},
		{"of zeros, as after a crash of the system", strings.Repeat("\x00", 512), state.ErrDamaged},
		{"cut", string(good[:len(good)/2]), state.ErrDamaged},
		{"something else", "time,goroutines\n1,2\n", state.ErrDamaged},
		{"newer", strings.Replace(string(good), "state 1 ", "state 2 ", 1), state.ErrNewer},
		{"with a record of another form",
			encoded(state.Saved{Executable: "worker", Instance: "host-1", Written: now, Record: otherForm}),
			state.ErrDamaged},
		{"of another executable",
			encoded(state.Saved{Executable: "other", Instance: "host-1", Written: now, Record: *record(2)}),
			state.ErrForeign},
		{"of another instance",
			encoded(state.Saved{Executable: "worker", Instance: "host-2", Written: now, Record: *record(2)}),
			state.ErrForeign},
		{"from the future",
			encoded(state.Saved{Executable: "worker", Instance: "host-1", Written: now.Add(2 * time.Hour),
				Record: *record(2)}), state.ErrFuture},
		{"too large", strings.Repeat("x", 64<<10+1), state.ErrTooLarge},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, key.FileName())
		for _, file := range []string{path, path + ".unusable"} {
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		f, saved, unusable := open(t, dir)
		if saved != nil || !errors.Is(unusable, test.want) || !strings.Contains(unusable.Error(), path) {
			t.Errorf("%s: %v, %v, want %v", test.name, saved, unusable, test.want)
		}
		if kept, err := os.ReadFile(path + ".unusable"); err != nil || string(kept) != test.text {
			t.Errorf("%s: %v: it was not kept as it was", test.name, err)
		}
		if err := f.Write(state.Saved{Record: *record(1)}, now); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if s, err := state.Read(path); err != nil || len(s.Record.Lives) != 1 {
			t.Errorf("%s: then %v, %d lives", test.name, err, len(s.Record.Lives))
		}
	}
}

// Nothing stays beside a state that is closed, and of those who open it one after the other or at once one has it.
func TestLockIsRemoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be removed there")
	}
	dir := t.TempDir()
	fill(t, dir, record(1), now)
	var holders atomic.Int32
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				f, _, _, err := state.Open(dir, key, now)
				if errors.Is(err, filelock.ErrLocked) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n > 1 {
					t.Errorf("%d have it", n)
				}
				holders.Add(-1)
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if err := f.Close(); err == nil {
					t.Error("it is closed twice without an error")
				}
			}
		}()
	}
	wg.Wait()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, record(1), now)
	first, _, _ := open(t, dir)
	if _, _, _, err := state.Open(dir, key, now); !errors.Is(err, filelock.ErrLocked) {
		t.Errorf("a second writer: %v", err)
	}
	other, _, _, err := state.Open(dir, state.Key{Executable: "worker", Instance: "host-2"}, now)
	if err != nil {
		t.Fatal("another instance: ", err)
	}
	if err := errors.Join(other.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	if _, saved, _ := open(t, dir); saved == nil {
		t.Error("the next one does not get what the first one left")
	}
}

func TestFileName(t *testing.T) {
	for _, test := range []struct {
		key  state.Key
		want string
	}{
		{state.Key{Executable: "worker", Instance: "host-1"}, "worker@host-1-22dedbc6.state"},
		{state.Key{Executable: "../../etc/passwd", Instance: "a b/\x00ü"}, "______etc_passwd@a_b___-e33346bc.state"},
		{state.Key{}, "@-4d01ebbb.state"},
		{state.Key{Executable: strings.Repeat("x", 300), Instance: "y"}, strings.Repeat("x", 48) + "@y-ef39b3db.state"},
	} {
		if got := test.key.FileName(); got != test.want {
			t.Errorf("%+v: %s, want %s", test.key, got, test.want)
		}
	}
}

// What does not fit is not written, and what was there before stays.
func TestTooLarge(t *testing.T) {
	dir := t.TempDir()
	path, _ := fill(t, dir, record(1), now)
	f, _, _ := open(t, dir)
	large := record(1)
	large.Lives[0].Version = strings.Repeat("x", 64<<10)
	if err := f.Write(state.Saved{Record: *large}, now); !errors.Is(err, state.ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if _, err := state.Read(path); err != nil {
		t.Error(err)
	}
}

// Where all alerts do not fit, the least of them go: those that matter are kept, and it is told how many went.
func TestAlertsThatDoNotFit(t *testing.T) {
	alert := func(id string, status alerting.Status, severity alerting.Severity, hour int) alerting.Alert {
		return alerting.Alert{Version: alerting.Version, ID: id, Event: alerting.Event{
			Time: now.Add(time.Duration(hour) * time.Hour), Status: status, Kind: alerting.Trend, Resource: id,
			Severity: severity,
			Summary:  strings.Repeat("x", 16<<10),
		}}
	}
	for _, c := range []struct {
		name   string
		alerts []alerting.Alert
		kept   []string
	}{
		{"all have room", []alerting.Alert{
			alert("a", alerting.Firing, alerting.Warning, 1), alert("b", alerting.Resolved, alerting.Warning, 2),
			alert("c", alerting.Firing, alerting.High, 3),
		}, []string{"a", "b", "c"}},
		{"a resolved one goes first", []alerting.Alert{
			alert("a", alerting.Firing, alerting.Warning, 1), alert("b", alerting.Resolved, alerting.Critical, 4),
			alert("c", alerting.Firing, alerting.Warning, 2), alert("d", alerting.Firing, alerting.Warning, 3),
		}, []string{"a", "c", "d"}},
		{"then the least severe", []alerting.Alert{
			alert("a", alerting.Firing, alerting.Critical, 1), alert("b", alerting.Firing, alerting.High, 2),
			alert("c", alerting.Firing, alerting.Warning, 4), alert("d", alerting.Firing, alerting.High, 3),
		}, []string{"a", "b", "d"}},
		{"then the oldest", []alerting.Alert{
			alert("a", alerting.Firing, alerting.High, 4), alert("b", alerting.Firing, alerting.High, 2),
			alert("c", alerting.Firing, alerting.High, 1),
			alert("d", alerting.Firing, alerting.High, 3), alert("e", alerting.Firing, alerting.High, 5),
		}, []string{"a", "d", "e"}},
	} {
		text, err := state.Saved{Record: *record(1), Alerts: c.alerts}.Encode()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got, err := state.Decode(text)
		var kept []string
		for _, a := range got.Alerts {
			kept = append(kept, a.ID)
		}
		if diff := cmp.Diff(c.kept, kept); err != nil || diff != "" || got.AlertsLeftOut != len(c.alerts)-len(c.kept) {
			t.Errorf("%s: %v; %d left out, kept (-want +got):\n%s", c.name, err, got.AlertsLeftOut, diff)
		}
	}
}

// Of thousands of alerts, as many are kept as there is room for.
func TestManyAlertsDoNotFit(t *testing.T) {
	s := state.Saved{Record: *record(1)}
	for i := range 5000 {
		s.Alerts = append(s.Alerts, alerting.Alert{ID: fmt.Sprint(i), Event: alerting.Event{
			Time: now.Add(time.Duration(i) * time.Second), Status: alerting.Firing, Summary: strings.Repeat("x", 500),
		}})
	}
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := state.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	one, err := state.Saved{Record: *record(1), Alerts: got.Alerts[:1]}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	none, err := state.Saved{Record: *record(1)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if len(text)+len(one)-len(none) < 64<<10 || got.AlertsLeftOut != 5000-len(got.Alerts) ||
		got.Alerts[0].ID != fmt.Sprint(got.AlertsLeftOut) {
		t.Errorf("%d bytes, %d of them for one; %d alerts left out, %d kept from %s on",
			len(text), len(one)-len(none), got.AlertsLeftOut, len(got.Alerts), got.Alerts[0].ID)
	}
}

func FuzzDecode(f *testing.F) {
	text, err := state.Saved{Executable: "worker", Instance: "host-1", Written: now, Record: *record(2)}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(text, []byte("\n"))
	f.Add(text, false)
	f.Add(bytes.TrimSpace(body), true)
	f.Add([]byte("{}"), true)
	f.Add([]byte("leaktrend state 2 x\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, whole bool) {
		if whole { // as somebody who knows the checksum writes it
			text = fmt.Appendf(nil, "leaktrend state 1 sha256:%x %d\n%s\n", sha256.Sum256(text), len(text)+1, text)
		}
		s, err := state.Decode(text)
		if err != nil {
			return
		}
		if err := s.Record.Validate(); err != nil {
			t.Fatal("what was read does not hold together: ", err)
		}
		again, err := s.Encode()
		if errors.Is(err, state.ErrTooLarge) { // some characters are written longer
			return
		} else if err != nil {
			t.Fatal(err)
		}
		back, err := state.Decode(again)
		if diff := cmp.Diff(s, back); err != nil || diff != "" {
			t.Errorf("%v: what is written is not what is read (-want +got):\n%s", err, diff)
		}
	})
}
