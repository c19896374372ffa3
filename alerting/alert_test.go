package alerting

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t
}

// fullAlert has every field set.
func fullAlert() Alert {
	return Alert{
		Version: Version,
		ID:      "0123456789abcdef",
		Event: Event{
			Time: at("2026-11-23T10:15:00Z"), Status: Firing, Kind: Trend, Resource: "goroutines", Severity: High,
			Summary: "goroutines grew from 312 to 2911 in 2h7m & <show no end>", Value: 2911, Baseline: 312,
			Threshold:    1000,
			SlopePerHour: 1240.5, Since: at("2026-11-23T08:10:00.25Z"),
			Exhaustion: &Exhaustion{Limit: 100000, Source: "GOMEMLIMIT", At: at("2026-11-26T16:00:00Z")},
			Evidence: &Evidence{Window: "2h0m0s", Points: 24, EffectivePoints: 11.5, Floor: 300, Rise: 2599,
				Growth: 8.2, R2: .98, T: 41,
				LoadShare: .9},
		},
		Process: Process{PID: 4242, Executable: "capturer", Host: "node-7", Version: "v1.4.0",
			Start: at("2026-11-20T00:00:00Z")},
		Sites: []Site{
			{Function: "main.(*Hub).serve", File: "/src/hub.go", Line: 88, Count: 2600, GrowthPerHour: 1200, Share: .97,
				OldestSeconds: 7500,
				WaitReason:    "chan receive", CreatedBy: "main.main", Types: []string{"*main.conn"}, Proven: true},
			{Function: "main.<lambda>", File: "/src/a.go", Line: 3, Bytes: 4096, GrowthPerHour: 12.25, Share: .03},
		},
		Parts: []Part{
			{What: "tcp", Detail: "CLOSE_WAIT to 10.0.0.5:5432", Count: 107, Growth: 95, Share: .95,
				Since: at("2026-11-23T08:05:00Z")},
			{What: "pipe", Count: 4096, Share: .05, Estimated: true},
		},
		Profiles: []Profile{{Kind: "goroutine", Path: "/tmp/g.pb.gz", Bytes: 812}},
		Missing:  []Missing{{What: "sites", Why: "no profile"}},
	}
}

func resolvedAlert() Alert {
	a := fullAlert()
	a.Status, a.Severity = Resolved, Warning
	a.Summary = "goroutines fell back to 320"
	a.Value, a.Time = 320, at("2026-11-23T11:00:00Z")
	a.Sites, a.Parts, a.Profiles, a.Missing, a.Exhaustion, a.Evidence = nil, nil, nil, nil, nil, nil
	return a
}

func TestClone(t *testing.T) {
	a := fullAlert()
	c := a.Clone()
	if diff := cmp.Diff(a, c); diff != "" {
		t.Fatalf("clone differs (-want +got):\n%s", diff)
	}
	c.Exhaustion.Limit, c.Evidence.T, c.Sites[0].Line, c.Sites[0].Types[0], c.Parts[0].Count, c.Profiles[0].Bytes,
		c.Missing[0].Why = 1, 1, 1, "x", 1, 1, "y"
	if diff := cmp.Diff(fullAlert(), a); diff != "" {
		t.Errorf("writing to the clone changed the original (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Alert{}, Alert{}.Clone()); diff != "" {
		t.Errorf("clone of nothing (-want +got):\n%s", diff)
	}
}

func TestAlertJSONRoundTrip(t *testing.T) {
	text, err := json.Marshal(fullAlert())
	if err != nil {
		t.Fatal(err)
	}
	var got Alert
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fullAlert(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestID(t *testing.T) {
	p := fullAlert().Process
	first := at("2026-11-23T10:15:00Z")
	base := ID(p, "open_fds", Trend, first)
	if len(base) != 16 {
		t.Errorf("ID %q: want 16 digits", base)
	}
	same := p
	same.Version = "v2"
	if got := ID(same, "open_fds", Trend, first.In(time.FixedZone("", 3600))); got != base {
		t.Errorf("same finding in another zone: %s, want %s", got, base)
	}
	host, pid, start := p, p, p
	host.Host, pid.PID, start.Start = "x", 1, p.Start.Add(time.Second)
	seen := map[string]string{base: "base"}
	for name, id := range map[string]string{
		"host": ID(host, "open_fds", Trend, first), "pid": ID(pid, "open_fds", Trend, first),
		"start":    ID(start, "open_fds", Trend, first),
		"resource": ID(p, "threads", Trend, first), "kind": ID(p, "open_fds", Limit, first),
		"first": ID(p, "open_fds", Trend, first.Add(time.Millisecond)),
	} {
		if other, ok := seen[id]; ok {
			t.Errorf("another %s has the ID of %s", name, other)
		}
		seen[id] = name
	}
}

func TestThisProcess(t *testing.T) {
	p := ThisProcess()
	host, _ := os.Hostname()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := Process{PID: os.Getpid(), Executable: filepath.Base(exe), Host: host, Version: p.Version}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBuildVersion(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef0123"}
	modified := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, tc := range []struct {
		name, version string
		settings      []debug.BuildSetting
		want          string
	}{
		{"release", "v1.2.3", []debug.BuildSetting{revision}, "v1.2.3"},
		{"devel", "(devel)", []debug.BuildSetting{revision}, "0123456789ab"},
		{"modified", "", []debug.BuildSetting{modified, revision}, "0123456789ab+dirty"},
		{"unknown", "(devel)", []debug.BuildSetting{modified}, ""},
	} {
		if got := buildVersion(&debug.BuildInfo{Main: debug.Module{Version: tc.version},
			Settings: tc.settings}); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func BenchmarkNotify(b *testing.B) {
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	nothing := SinkFunc(func(Alert) {})
	d := NewDispatcher(quiet, NamedSink{"a", nothing}, NamedSink{"b", nothing}, NamedSink{"c", nothing})
	a := fullAlert()
	b.ReportAllocs()
	for b.Loop() {
		d.Notify(a)
	}
}

// Lines and parts say of when their figures are where the alert is of another time, and heap what it was at the last
// collection.
func TestFiguresOfAnotherTime(t *testing.T) {
	asOf := at("2026-11-26T15:02:05Z")
	heap := Site{Function: "main.main", File: "/src/main.go", Line: 25, Bytes: 3.5 * (1 << 20), Share: .23,
		GrowthPerHour: 420 << 20}
	all := heap
	all.Share = 1
	got := []string{
		heap.String(), all.String(),
		Site{Function: "main.fetch", File: "/src/main.go", Line: 19, Count: 59, Resource: "goroutines", Share: .5,
			AsOf: asOf}.String(),
		Part{What: "pipe", Count: 70, Growth: 57, Share: 1, AsOf: asOf}.String(),
		Part{What: "pipe", Count: 70, Share: .7, AsOf: asOf}.String(),
	}
	want := []string{
		"main.main /src/main.go:25: 3.5 MB as of the last collection, at least 23 % of the growth, +420 MB/h",
		"main.main /src/main.go:25: 3.5 MB as of the last collection, 100 % of the growth, +420 MB/h",
		"main.fetch /src/main.go:19: 59 goroutines there, 50 % of the growth, as of 2026-11-26 15:02:05 UTC",
		"pipe: 70, up 57, 100 % of the growth, as of 2026-11-26 15:02:05 UTC",
		"pipe: 70, 70 % of all, as of 2026-11-26 15:02:05 UTC",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
