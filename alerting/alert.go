// Package alerting carries the detector's findings to people: an Alert goes through a Dispatcher to any number of
// sinks, such as the log, a webhook, a channel or a function.
//
// A Dispatcher never blocks its caller, isolates the sinks so that one that hangs delays no other, and retries for
// as long as it takes. No error, log line or statistic of this package contains a webhook's credentials.
package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Version of the alert's JSON form.
const Version = "1"

// Kind says what found the leak.
type Kind string

const (
	Trend Kind = "trend" // sustained growth over the moving baseline
	Limit Kind = "limit" // a configured threshold or a ceiling was passed
)

// Status says whether the finding holds.
type Status string

const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Severity orders findings by urgency. The zero value is Warning.
type Severity uint8

const (
	Warning Severity = iota
	High
	Critical
)

var severities = [...]string{Warning: "warning", High: "high", Critical: "critical"}

// String returns the name of the severity.
func (s Severity) String() string {
	if int(s) < len(severities) {
		return severities[s]
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText returns the name of the severity.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a severity.
func (s *Severity) UnmarshalText(text []byte) error {
	for i, name := range severities {
		if name == string(text) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("alerting: unknown severity %q", text)
}

// Exhaustion is when the resource runs out at its present rate.
type Exhaustion struct {
	Limit  float64   `json:"limit"`  // level at which the process dies, in the resource's unit
	Source string    `json:"source"` // where that level comes from, as in "RLIMIT_NOFILE"
	At     time.Time `json:"at"`
	// Earliest and Latest bound the time at which it runs out in about four of five leaks; zero where unknown.
	Earliest time.Time `json:"earliest,omitzero"`
	Latest   time.Time `json:"latest,omitzero"`
}

// Evidence is what the trend verdict rests on.
type Evidence struct {
	Window          string  `json:"window"`               // span of the regression, as a Go duration
	Points          int     `json:"points"`               // minimums in the regression
	EffectivePoints float64 `json:"effective_points"`     // after allowing for autocorrelation
	Floor           float64 `json:"floor"`                // width of one minimum, in seconds
	Rise            float64 `json:"rise"`                 // growth over the window that never came back
	Growth          float64 `json:"growth"`               // the rise over the level before it
	R2              float64 `json:"r2"`                   // coefficient of determination, 0 to 1
	T               float64 `json:"t"`                    // t statistic of the slope, capped at 1e6
	LoadShare       float64 `json:"load_share,omitempty"` // share of the rate that remains when load is held constant
}

// Lives is the evidence of growth over the successive lives of a process, between deploys and restarts. Rates are in
// the unit of the resource.
type Lives struct {
	// lives in a row that each grew, the running one among them; absent where one life alone was evidence
	Grew       int     `json:"grew,omitempty"`
	LowPerDay  float64 `json:"low_per_day,omitempty"`  // growth of the one that grew least a day
	HighPerDay float64 `json:"high_per_day,omitempty"` // growth of the one that grew most
	Growth     float64 `json:"growth,omitempty"`       // of a life, over the level at its start: the median
	// LastShare is the share of the growth in the last quarter of a life, over all of them: .25 where it goes on
	// evenly.
	LastShare float64 `json:"last_share,omitempty"`
	// of the slope over all of them, with an intercept for each: a score, capped at 1e6
	T float64 `json:"t,omitempty"`
	// Versions are the versions of these lives, in order of time: the growth began with the first of them.
	Versions []LivesOf `json:"versions,omitempty"`
	Before   []LivesOf `json:"before,omitempty"` // the lives before, which did not grow
	Ended    *LivesOf  `json:"ended,omitempty"`  // version of the running life, in which the growth was not seen again
}

// LivesOf is a number of lives of one version.
type LivesOf struct {
	Version  string    `json:"version,omitempty"`
	Revision string    `json:"revision,omitempty"` // of the source, in the first of them
	Since    time.Time `json:"since"`              // when the first of them began
	Lives    int       `json:"lives"`
}

// Event is one decision of the detector: a finding begins, becomes more severe, or ends.
type Event struct {
	Time         time.Time `json:"time"`
	Status       Status    `json:"status"`
	Kind         Kind      `json:"kind"`
	Resource     string    `json:"resource"`
	Severity     Severity  `json:"severity"`
	Summary      string    `json:"summary"`             // one plain sentence with figures
	Value        float64   `json:"value"`               // in the unit of the resource, like all levels here
	Baseline     float64   `json:"baseline"`            // trend: the level before it grew; limit: at the start
	Threshold    float64   `json:"threshold,omitempty"` // limit alerts: the level that was passed
	SlopePerHour float64   `json:"slope_per_hour"`
	Since        time.Time `json:"since"` // when the growth began, or the limit was passed
	// SinceError is how far from Since the growth may have begun, in seconds, in about four of five leaks; 0 for a
	// limit.
	SinceError float64 `json:"since_error_seconds,omitempty"`
	// SinceFirst tells that the growth was there from the first reading on, of a process that is older than that or
	// whose start is not known: it may have begun before Since.
	SinceFirst bool        `json:"since_first_reading,omitempty"`
	Exhaustion *Exhaustion `json:"exhaustion,omitempty"`
	Evidence   *Evidence   `json:"evidence,omitempty"`
	Lives      *Lives      `json:"lives,omitempty"` // of a trend, where lives before are known
}

// Process identifies who leaks.
type Process struct {
	PID        int       `json:"pid,omitempty"`
	Executable string    `json:"executable,omitempty"`
	Host       string    `json:"host,omitempty"`
	Instance   string    `json:"instance,omitempty"` // where one is configured
	Version    string    `json:"version,omitempty"`
	Revision   string    `json:"revision,omitempty"` // of the source that it was built from
	Start      time.Time `json:"start,omitzero"`
}

// Site is a place in the code to which growth was traced.
type Site struct {
	Function      string  `json:"function"`
	File          string  `json:"file"`
	Line          int     `json:"line"`
	Count         float64 `json:"count,omitempty"` // goroutines or objects there now
	Bytes         float64 `json:"bytes,omitempty"`
	GrowthPerHour float64 `json:"growth_per_hour"`
	Share         float64 `json:"share"` // of the resource's growth, 0 to 1; of all sites together no more than 1
	// OldestSeconds is how long the goroutine there that has waited longest has done so, by a dump of these goroutines;
	// absent where none was taken, and below a minute.
	OldestSeconds float64  `json:"oldest_seconds,omitempty"`
	WaitReason    string   `json:"wait_reason,omitempty"`
	CreatedBy     string   `json:"created_by,omitempty"`
	Types         []string `json:"types,omitempty"`
	// Via is the function of a library that acts for this line: what the line did is known by the memory from there.
	Via string `json:"via,omitempty"`
	// Resource is the one that the figures of the site are for, where it is not the alert's: goroutines or
	// heap_live_bytes.
	Resource string `json:"resource,omitempty"`
	// Holder is what keeps the memory of the line alive, by the shortest way to most of its sampled objects: a variable
	// of a package, as in "main.sessions (map[string]*main.session), 1,204,113 entries", or a goroutine, as in "the
	// goroutine at main.work /src/main.go:88".
	Holder string `json:"holder,omitempty"`
	// AsOf is the time of the figures, where it differs from that of the alert: they are then from the latest alert on
	// another resource of the incident.
	AsOf time.Time `json:"as_of,omitzero"`
	// HolderPath is the path from the holder to the memory.
	HolderPath *Path `json:"holder_path,omitempty"`
	// CalledFrom is the line of the application that called into a library most while goroutines of its came to wait
	// here, as in "main.fetch /src/main.go:42": by the allocations that were sampled, which is no proof.
	CalledFrom string `json:"called_from,omitempty"`
	// KnownBy is how it is known that the line called a library that acts for it, or that the library was called from
	// CalledFrom: by the "memory" that the line keeps from there, by the "code" of the program, in which only lines of
	// its function lead there, or by "allocations" on the way there, that only lines of its function made; "unsure"
	// where it is not sure which line it was. Absent where the line stands on the stacks themselves.
	KnownBy string `json:"known_by,omitempty"`
	// Proven says of goroutines that the collector found that nothing can wake them.
	Proven bool `json:"proven"`
	// Held says of memory that the growth was live after two collections, as that of a cache is too.
	Held bool `json:"held,omitempty"`
	// Stack is the functions on the way to the line, innermost first, as far as known. It is no part of the JSON form.
	Stack []string `json:"-"`
}

// Missing is evidence that an alert lacks, and why. Evidence that comes later is delivered with the same alert, under
// the same ID.
type Missing struct {
	What string `json:"what"` // sites, parts or captures, else the name of a source of the host's
	Why  string `json:"why"`  // as a clause
}

// Part is one kind of descriptors, threads or resident memory to which growth was traced. The parts of an alert do not
// overlap.
type Part struct {
	// as in tcp, unix, file, "deleted file", pipe, eventfd, thread, "Go heap", malloc
	What   string  `json:"what"`
	Detail string  `json:"detail,omitempty"` // as in "CLOSE_WAIT to 10.0.0.5:5432", "in /var/spool"
	Unit   string  `json:"unit,omitempty"`   // of count and growth: bytes; absent for numbers
	Count  float64 `json:"count"`            // how many there are now
	Growth float64 `json:"growth,omitempty"` // how many more than before; absent where before is not known
	Share  float64 `json:"share"`            // of the growth, or of all where before is not known; 0 to 1
	// Since is the time of the earlier count: the latest from healthy times that is no later than the start of the
	// growth; for a limit, the start of the process.
	Since     time.Time `json:"since,omitzero"`
	AsOf      time.Time `json:"as_of,omitzero"`      // as that of a Site
	Estimated bool      `json:"estimated,omitempty"` // from a sample, as there are too many to read all
}

// Profile is a file that was written as evidence.
type Profile struct {
	Kind  string `json:"kind"` // as in runtime/pprof: goroutine, heap
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Affected is one resource of an incident, as of its latest alert.
type Affected struct {
	Resource     string      `json:"resource"`
	Time         time.Time   `json:"time,omitzero"` // of that alert
	Kind         Kind        `json:"kind"`
	Status       Status      `json:"status"`
	Severity     Severity    `json:"severity"`
	Value        float64     `json:"value"`
	Baseline     float64     `json:"baseline"`
	Threshold    float64     `json:"threshold,omitempty"`
	SlopePerHour float64     `json:"slope_per_hour"`
	Since        time.Time   `json:"since,omitzero"`
	Exhaustion   *Exhaustion `json:"exhaustion,omitempty"`
	Summary      string      `json:"summary"`
}

// Alert is an Event on its way to people: who leaks, and where in the code. Findings with one cause form one incident:
// the alerts on all of its resources share an ID, Event is the latest of any of them with the highest severity of those
// that fire, and Resources lists them all. The incident is resolved once all of them are.
type Alert struct {
	Version string `json:"version"`
	ID      string `json:"id"` // the same for all alerts of an incident, until it is resolved
	Event
	// Finding is the ID of the latest finding, where it joined the incident of another: its captures, and the stacks in
	// the log, are named after it. Empty where it equals the ID.
	Finding  string `json:"finding,omitempty"`
	Incident string `json:"incident,omitempty"` // the same for all resources of one cause
	// Fingerprint is the same for the same cause in every replica, restart and version; see known_leaks.
	Fingerprint string `json:"fingerprint,omitempty"`
	New         bool   `json:"new,omitempty"`   // the fingerprint is not known, and had no incident before
	Known       bool   `json:"known,omitempty"` // the fingerprint is one of known_leaks: shown, but not delivered
	// Resources are those of the incident, in the order in which they joined it.
	Resources []Affected `json:"resources,omitempty"`
	Process   Process    `json:"process"`
	// Labels name what leaks, where it is a group of processes instead of one. For Alertmanager they stand for the
	// instance.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are further information, such as links and owners. For Alertmanager they are added to those of the
	// alert, which they cannot replace.
	Annotations map[string]string `json:"annotations,omitempty"`
	Sites       []Site            `json:"sites,omitempty"`
	Parts       []Part            `json:"parts,omitempty"` // of open_fds, threads and rss_bytes, the most growth first
	// Holder is what keeps most of the descriptors of packages os and net open, by the shortest path to them, as in
	// "main.conns (map[string]net.Conn), 3,204 entries". Only alerts on open_fds have it.
	Holder     string    `json:"holder,omitempty"`
	HolderPath *Path     `json:"holder_path,omitempty"` // from the holder to the descriptors
	Profiles   []Profile `json:"profiles,omitempty"`
	Missing    []Missing `json:"missing,omitempty"` // evidence that is not there, or not yet
}

// Clone returns a copy that shares no memory with a.
func (a Alert) Clone() Alert {
	if a.Exhaustion != nil {
		e := *a.Exhaustion
		a.Exhaustion = &e
	}
	if a.Evidence != nil {
		e := *a.Evidence
		a.Evidence = &e
	}
	a.Resources = slices.Clone(a.Resources)
	for i := range a.Resources {
		if e := a.Resources[i].Exhaustion; e != nil {
			copied := *e
			a.Resources[i].Exhaustion = &copied
		}
	}
	a.Labels, a.Annotations = maps.Clone(a.Labels), maps.Clone(a.Annotations)
	a.Sites = slices.Clone(a.Sites)
	for i := range a.Sites {
		a.Sites[i].Types, a.Sites[i].Stack = slices.Clone(a.Sites[i].Types), slices.Clone(a.Sites[i].Stack)
		a.Sites[i].HolderPath = a.Sites[i].HolderPath.Clone()
	}
	a.HolderPath = a.HolderPath.Clone()
	a.Parts = slices.Clone(a.Parts)
	a.Profiles = slices.Clone(a.Profiles)
	a.Missing = slices.Clone(a.Missing)
	return a
}

// ID returns the identity of one finding: 16 hex digits that depend on the process (host, pid and start), the resource,
// the kind and the time of the first firing alert, to the millisecond. The later alerts of a finding carry the ID of
// its first.
func ID(p Process, resource string, kind Kind, first time.Time) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %q %q %d", p.Host, p.PID, p.Start.UnixMilli(), resource, kind,
		first.UnixMilli()))
	return hex.EncodeToString(sum[:8])
}
