package leakdetection_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"gopkg.in/yaml.v3"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/detector/collector"
	"github.com/mdzesseis/leaktrend/detector/internal/hosttest"
)

var docs = filepath.Join("..", "..", "docs")

// block is a fenced block of the migration page.
type block struct {
	section    string // "1", "2", "3", or a heading without a number
	kind, text string
}

func blocks(t *testing.T, page string) (all []block) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(docs, page))
	if err != nil {
		t.Fatal(err)
	}
	section, open := "", false
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\r\n", "\n")) {
		kind, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !open:
			all, open = append(all, block{section: section, kind: strings.TrimSpace(kind)}), true
		case fence:
			open = false
		case open:
			all[len(all)-1].text += line
		case strings.HasPrefix(line, "## "):
			section, _, _ = strings.Cut(strings.TrimSpace(line[3:]), ".")
		}
	}
	return all
}

const english = "migration-log_capturer_go.md"

// The Portuguese page has the same steps.
func TestTwin(t *testing.T) {
	text := func(page string) (all []string) {
		for _, b := range blocks(t, page) {
			all = append(all, b.kind+"\n"+b.text)
		}
		return all
	}
	if diff := cmp.Diff(text(english), text("migracao-log_capturer_go.md")); diff != "" {
		t.Errorf("blocks of the Portuguese page (-english +portuguese):\n%s", diff)
	}
}

// apply changes a file of the host as a diff of the page says. A line "..." stands for all lines between.
func apply(t *testing.T, dir, diff string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(diff, "\n"), "\n")
	name, ok := strings.CutPrefix(lines[0], "--- ")
	if !ok {
		t.Fatalf("the diff names no file: %s", lines[0])
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var old, changed strings.Builder
	old.WriteString("(?m)")
	for _, line := range lines[1:] {
		if line == "..." {
			old.WriteString("(?:.*\n)*?")
			continue
		}
		if line[0] != '+' {
			old.WriteString("^" + regexp.QuoteMeta(line[1:]) + "\n")
		}
		if line[0] != '-' {
			changed.WriteString(line[1:] + "\n")
		}
	}
	at := regexp.MustCompile(old.String()).FindAllIndex(data, -1)
	if len(at) != 1 {
		t.Fatalf("%s has the lines %d times, want once:\n%s", name, len(at), diff)
	}
	text := string(data[:at[0][0]]) + changed.String() + string(data[at[0][1]:])
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// receiver is a webhook that keeps the alerts that it gets.
type receiver struct {
	mu     sync.Mutex
	alerts []alerting.Alert
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var a alerting.Alert
	if err := json.NewDecoder(req.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alerts = append(r.alerts, a)
}

// The host, changed by the page, step by step: it compiles, bursts alarm nobody, and what it forgets is on its panel,
// in its log and, from the second step on, at its webhook.
func TestSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	all := blocks(t, english)
	for _, way := range []struct {
		steps         string
		webhook, page bool
	}{{"1", false, false}, {"1 without the Prometheus client", false, false}, {"12", true, false},
		{"123", true, true}} {
		t.Run(way.steps, func(t *testing.T) {
			host := copyHost(t)
			steps, light, _ := strings.Cut(way.steps, " ")
			for _, b := range all {
				if b.kind == "diff" && strings.Contains(steps, b.section) {
					apply(t, host.Dir, b.text)
				}
			}
			if light != "" {
				for _, file := range []string{"app.go", "initialization.go"} {
					apply(t, host.Dir, "--- internal/app/"+file+"\n-\t\"github.com/mdzesseis/leaktrend/detector/"+
						"leakdetection\"\n"+
						"+\tleakdetection \"github.com/mdzesseis/leaktrend/detector\"\n")
				}
				made := "\tresourceMonitor := leakdetection.NewResourceMonitor(resourceConfig, app.logger)\n"
				apply(t, host.Dir, "--- internal/app/initialization.go\n "+made+"+"+only(t, all, "go",
					"resourceMonitor."))
			}
			var hook receiver
			server := httptest.NewServer(&hook)
			defer server.Close()
			captures := filepath.Join(host.Dir, "captures")
			settings := regexp.MustCompile(`check_interval: .*`).ReplaceAllString(configuration(t, all),
				`check_interval: "20ms"`)
			settings = regexp.MustCompile(`alert_webhook_url: .*`).ReplaceAllString(settings,
				fmt.Sprintf("alert_webhook_url: %q", server.URL))
			settings = regexp.MustCompile(`profile_dir: .*`).ReplaceAllString(settings,
				fmt.Sprintf("profile_dir: %q", filepath.ToSlash(captures)))
			file := filepath.Join(host.Dir, "config.yaml")
			if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
				t.Fatal(err)
			}
			host.Go(t, "build", "-o", "host.exe", ".")
			run := exec.Command(filepath.Join(host.Dir, "host.exe"), file)
			var log bytes.Buffer
			run.Stderr = &log
			out, err := run.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &log)
			}
			var got struct {
				Before, After    map[string]float64
				Stats, Resources map[string]any
				Page             int
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if diff := cmp.Diff(map[string]float64{"fd_leak": 0, "goroutine_leak": 0, "memory_leak": 0},
				got.Before); diff != "" {
				t.Errorf("panel after bursts (-want +got):\n%s", diff)
			}
			if got.After["goroutine_leak"] != 1 {
				t.Errorf("panel after a leak: %v", got.After)
			}
			if n := strings.Count(log.String(), "goroutines grew by "); n != 1 {
				t.Errorf("the leak is told %d times in the log, want once:\n%s", n, &log)
			}
			for _, part := range []string{"limits=\"goroutines 1,000 above the start", "time_scale=", "off="} {
				if n := strings.Count(log.String(), part); n != 1 {
					t.Errorf("the log says %s %d times at the start, want once:\n%s", part, n, &log)
				}
			}
			if page := got.Page == http.StatusOK; page != way.page {
				t.Errorf("the live page answers %d", got.Page)
			}
			if _, ok := got.Resources["goroutine_growth"]; ok != way.webhook {
				t.Errorf("/api/resources/metrics: %v", got.Resources)
			}
			hook.mu.Lock()
			defer hook.mu.Unlock()
			if way.webhook != (len(hook.alerts) > 0) {
				t.Errorf("%d alerts at the webhook", len(hook.alerts))
			}
			for _, a := range hook.alerts {
				if a.Resource != "goroutines" || a.Status != alerting.Firing ||
					!strings.Contains(a.Summary, "goroutines grew by ") {
					t.Errorf("at the webhook: %+v", a)
				}
			}
			texts, _ := filepath.Glob(filepath.Join(captures, "leaktrend-*-goroutine-after.txt"))
			if want := map[bool]int{true: 1}[way.page]; len(texts) != want {
				t.Errorf("goroutines as text: %v, want %d", texts, want)
			}
		})
	}
}

// copyHost returns the host as it was.
func copyHost(t *testing.T) *hosttest.Module {
	t.Helper()
	root := filepath.Join("testdata", "host")
	program, err := os.ReadFile(filepath.Join(root, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	host := hosttest.New(t, filepath.Join("..", ".."), string(program))
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == "main.go" {
			return err
		}
		to := filepath.Join(host.Dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// only returns the block of a kind that begins with a text.
func only(t *testing.T, all []block, kind, begins string) string {
	t.Helper()
	for _, b := range all {
		if b.kind == kind && strings.HasPrefix(b.text, begins) {
			return b.text
		}
	}
	t.Fatalf("the page has no %s that begins with %q", kind, begins)
	return ""
}

func configuration(t *testing.T, all []block) string {
	t.Helper()
	return only(t, all, "yaml", "resource_monitoring:")
}

// The section of the page is in force without a warning, and so is the host's own once the four keys are deleted.
func TestConfiguration(t *testing.T) {
	all := blocks(t, english)
	c, warnings, err := detector.ParseConfig(strings.NewReader(configuration(t, all)), "page")
	if err != nil || len(warnings) > 0 {
		t.Errorf("%v, %v", warnings, err)
	}
	page, err := os.ReadFile(filepath.Join(docs, english))
	if err != nil {
		t.Fatal(err)
	}
	sentence := regexp.MustCompile(`(?s)four keys:\s+delete\s+(.*?)\.\s`).FindSubmatch(page)
	if sentence == nil {
		t.Fatal("the page does not say what to delete")
	}
	shipped, err := os.ReadFile(filepath.Join("..", "config", "testdata", "host-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	keys := regexp.MustCompile("`([a-z_]+)`").FindAllSubmatch(sentence[1], -1)
	if len(keys) != 4 {
		t.Errorf("%d keys to delete, want four", len(keys))
	}
	for _, key := range keys {
		shipped = regexp.MustCompile(`(?m)^  `+string(key[1])+`:.*\n`).ReplaceAll(shipped, nil)
	}
	if _, warnings, err := detector.ParseConfig(bytes.NewReader(shipped), "shipped"); err != nil || len(warnings) > 0 {
		t.Errorf("the shipped file without the four keys: %v, %v", warnings, err)
	}

	var compose struct {
		Services map[string]struct{ Volumes []string }
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(only(t, all, "yaml", "services:")), &compose); err != nil {
		t.Fatal(err)
	}
	for _, mount := range compose.Services["log_capturer_go"].Volumes {
		volume, at, _ := strings.Cut(mount, ":")
		if _, declared := compose.Volumes[volume]; !declared || at != c.ProfileDir {
			t.Errorf("%s: is no volume that is declared, at profile_dir", mount)
		}
	}
	if len(compose.Services) != 1 || len(compose.Services["log_capturer_go"].Volumes) == 0 {
		t.Errorf("compose fragment: %+v", compose)
	}
}

var metricName = regexp.MustCompile(`\b(leak_detection|leaktrend_[a-z_]+)\b`)

// exported are the names of the metrics that a host can have.
func exported(t *testing.T) map[string]bool {
	m, err := detector.NewMonitor(detector.DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	descriptions := make(chan *prometheus.Desc, 1000)
	collector.New(m).Describe(descriptions)
	close(descriptions)
	names := map[string]bool{"leak_detection": true}
	for d := range descriptions {
		for _, name := range metricName.FindAllString(d.String(), -1) {
			names[name] = true
		}
	}
	return names
}

// Rules and dashboard ask for metrics that there are, of the job that is scraped, in PromQL.
func TestQueries(t *testing.T) {
	all := blocks(t, english)
	rules := only(t, all, "yaml", "groups:")
	var file struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	if err := yaml.Unmarshal([]byte(rules), &file); err != nil {
		t.Fatal(err)
	}
	var panel struct {
		Targets []struct{ Expr, RefID, LegendFormat string }
		GridPos map[string]int
	}
	decoder := json.NewDecoder(strings.NewReader(only(t, all, "json", "{\n  \"type\"")))
	if err := decoder.Decode(&panel); err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, r := range file.Groups[0].Rules {
		queries = append(queries, r.Expr)
	}
	var recorded strings.Builder
	recorded.WriteString("groups:\n- name: panel\n  rules:\n")
	for i, target := range panel.Targets {
		queries = append(queries, target.Expr)
		fmt.Fprintf(&recorded, "  - record: panel:%d\n    expr: %q\n", i, target.Expr)
	}
	if len(queries) < 4 {
		t.Errorf("only %d queries: %q", len(queries), queries)
	}
	names := exported(t)
	for _, q := range queries {
		queried := metricName.FindAllString(q, -1)
		if len(queried) == 0 || !strings.Contains(q, `{job="log_capturer"`) {
			t.Errorf("%s: asks for nothing of the job that is scraped", q)
		}
		for _, name := range queried {
			if !names[name] {
				t.Errorf("%s: no %s is exported", q, name)
			}
		}
	}
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on the PATH: ", err)
	}
	for i, text := range []string{rules, recorded.String()} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".yml"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(tool, "check", "rules", path).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}

// The command that mends the host's rules does so. What else is typed is known.
func TestCommands(t *testing.T) {
	want := []string{
		"$ go get github.com/mdzesseis/leaktrend\n",
		"$ leaktrend check configs/config.yaml\n",
		"$ docker compose -f docker-compose.yml -f docker-compose.leaktrend.yml up -d\n",
		"$ sed -i 's/job=\"log-capturer\"/job=\"log_capturer\"/g' provisioning/alerts/rules.yml\n",
	}
	var got []string
	for _, b := range blocks(t, english) {
		if b.kind == "console" {
			got = append(got, b.text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("commands (-want +got):\n%s", diff)
	}
	sed, err := exec.LookPath("sed")
	if err != nil {
		t.Skip("sed is not on the PATH: ", err)
	}
	if out, err := exec.Command(sed, "--version").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("GNU")) {
		t.Skip("this sed is not GNU's, whose -i the host's images have")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "provisioning", "alerts", "rules.yml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("expr: (a{job=\"log-capturer\"} / b{job=\"log-capturer\",x=\"y\"})\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command("sh", "-c", strings.TrimPrefix(want[3], "$ "))
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "expr: (a{job=\"log_capturer\"} / b{job=\"log_capturer\",x=\"y\"})\n" {
		t.Errorf("%s, %v", text, err)
	}
}

// The alert of the page is one: every field is known, and the summary stands in the log's line too.
func TestAlertOfThePage(t *testing.T) {
	all := blocks(t, english)
	var a alerting.Alert
	decoder := json.NewDecoder(strings.NewReader(only(t, all, "json", "{\n  \"version\"")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Error("more than one object")
	}
	log := only(t, all, "text", "level=warning")
	for _, part := range []string{a.Summary, "alert_id=" + a.ID, "kind=trend resource=goroutines severity=warning " +
		"status=firing value=542"} {
		if !strings.Contains(log, part) {
			t.Errorf("the log's line does not hold %q:\n%s", part, log)
		}
	}
}

// The table of GetStats has every field.
func TestTableOfStats(t *testing.T) {
	for _, page := range []string{english, "migracao-log_capturer_go.md"} {
		text, err := os.ReadFile(filepath.Join(docs, page))
		if err != nil {
			t.Fatal(err)
		}
		listed := map[string]bool{}
		_, table, _ := strings.Cut(string(text), "GetStats\n\n")
		for line := range strings.Lines(table) {
			cells := strings.Split(line, "|")
			if len(cells) < 4 {
				continue
			}
			for _, field := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed[field[1]] = true
			}
		}
		data, err := json.Marshal(detector.ResourceStats{})
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slices.Sorted(maps.Keys(fields)), slices.Sorted(maps.Keys(listed))); diff != "" {
			t.Errorf("%s: fields (-want +got):\n%s", page, diff)
		}
	}
}
