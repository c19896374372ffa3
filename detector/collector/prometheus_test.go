package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mdzesseis/leaktrend/detector/internal/metric/metrictest"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// tool returns a program of the package prometheus.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s on PATH: install the package prometheus to run this test", name)
	}
	return path
}

func TestRules(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, arguments := range [][]string{
		{"check", "rules", "--lint-fatal", "leaktrend.rules.yaml"},
		{"test", "rules", filepath.Join("testdata", "rules_test.yaml")},
	} {
		if out, err := exec.Command(promtool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
		}
	}
}

// dashboard is what matters of a Grafana dashboard here.
type dashboard struct {
	Title         string
	UID           string
	SchemaVersion int
	Annotations   struct {
		List []struct{ Name, Expr string }
	}
	Templating struct {
		List []struct {
			Name, Type, Definition string
			Query                  any // a text or an object
		}
	}
	Panels []struct {
		ID          int
		Type, Title string
		GridPos     struct{ X, Y, W, H int }
		Datasource  struct{ UID string }
		Targets     []struct{ Expr, RefID string }
		FieldConfig struct{ Defaults struct{ Unit string } }
	}
}

func loadDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(Dashboard), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// queries returns every query of the dashboard by where it stands, with all variables at "All" over the last five
// minutes.
func (d *dashboard) queries() map[string]string {
	all := make(map[string]string)
	values := strings.NewReplacer("$__rate_interval", "1m", "$__range", "5m", "$job", ".*", "$instance", ".*",
		"$resource", ".*")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[p.Title+" "+target.RefID] = values.Replace(target.Expr)
		}
	}
	for _, a := range d.Annotations.List {
		all["annotation "+a.Name] = values.Replace(a.Expr)
	}
	for _, v := range d.Templating.List {
		if in := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition); in != nil {
			all["variable "+v.Name] = fmt.Sprintf("group by (%s) (%s)", in[2], values.Replace(in[1]))
		}
	}
	return all
}

// The fields are checked against Grafana's own model in testdata/grafana; here is what that does not know.
func TestDashboard(t *testing.T) {
	d := loadDashboard(t)
	if d.Title != "leaktrend" || d.UID == "" || d.SchemaVersion < 30 || len(d.Templating.List) != 4 {
		t.Errorf("the head: %q, uid %q, schema %d, %d variables", d.Title, d.UID, d.SchemaVersion,
			len(d.Templating.List))
	}
	for _, v := range d.Templating.List {
		if query, ok := v.Query.(map[string]any); ok && query["query"] != v.Definition {
			t.Errorf("the variable %s asks for %v and says %q", v.Name, query["query"], v.Definition)
		}
	}
	units := []string{"short", "s", "bytes", "percentunit"} // as Grafana names them
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	for _, p := range d.Panels {
		if ids[p.ID] {
			t.Errorf("%s: id %d is taken", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || !slices.Contains(units, p.FieldConfig.Defaults.Unit) ||
			p.Datasource.UID != "${datasource}") {
			t.Errorf("%s: %d queries of %q in %q", p.Title, len(p.Targets), p.Datasource.UID,
				p.FieldConfig.Defaults.Unit)
		}
		for i, target := range p.Targets {
			if want := string(rune('A' + i)); target.RefID != want {
				t.Errorf("%s: query %q, want %s", p.Title, target.RefID, want)
			}
		}
		g := p.GridPos
		if g.X < 0 || g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("%s is not within the 24 columns: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies over %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for where, query := range d.queries() {
		if strings.Contains(query, "$") {
			t.Errorf("%s: a variable that is not known: %s", where, query)
		}
	}
}

// What the rules and the dashboard ask for is exported.
func TestQueriedMetricsExist(t *testing.T) {
	families, err := registered(t, &Collector{read: metrictest.Snapshot}).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var exported []string
	for _, f := range families {
		exported = append(exported, f.GetName())
	}
	queried := map[string]bool{}
	for _, text := range []string{Rules, Dashboard} {
		for _, name := range regexp.MustCompile(`leaktrend_\w+`).FindAllString(text, -1) {
			queried[name] = true
			if !slices.Contains(exported, name) {
				t.Errorf("%s is asked for and not exported", name)
			}
		}
	}
	if len(queried) < 15 {
		t.Errorf("only %d metrics are asked for", len(queried))
	}
}

// result is one series of an answer.
type result struct {
	Metric map[string]string
	Value  [2]any
}

// ask runs an instant query.
func ask(base, query string) ([]result, error) {
	resp, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []result }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return answer.Data.Result, nil
}

// startPrometheus runs a real Prometheus with the shipped rules, that scrapes one target every second, and returns its
// base URL.
func startPrometheus(t *testing.T, target string) string {
	binary := tool(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs("leaktrend.rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: service, static_configs: [{targets: [%q]}]}]\n", rules, target)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	cmd := exec.Command(binary, "--config.file="+config, "--web.listen-address="+address, "--storage.tsdb.path="+
		filepath.Join(dir, "data"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of Prometheus:\n%s", &log)
		}
	})
	return "http://" + address
}

// A service with a leak is scraped by a real Prometheus: each query of the dashboard returns data, and the alert fires.
func TestScrapedByPrometheus(t *testing.T) {
	tool(t, "prometheus")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(New(caughtUp(t)), collectors.NewGoCollector())
	service := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer service.Close()
	target := strings.TrimPrefix(service.URL, "http://")
	base := startPrometheus(t, target)

	open := loadDashboard(t)
	missing := open.queries()
	alert := fmt.Sprintf(`ALERTS{alertname="LeaktrendLeak",alertstate="firing",job="service",instance=%q,resource=%q,`+
		`kind="trend",severity="warning"}`,
		target, sampler.OpenFDs)
	missing["alert"] = alert
	await.Until(t, func() string {
		why := ""
		for where, query := range missing {
			if found, err := ask(base, query); err == nil && len(found) > 0 {
				delete(missing, where)
			} else {
				why += fmt.Sprintf("\n%s: no data (%v) for %s", where, err, query)
			}
		}
		return why
	})
	for query, want := range map[string]string{
		`leaktrend_value{resource="goroutines"}`:                        "40",
		`leaktrend_finding{resource="open_fds",kind="trend"}`:           "1",
		`count(ALERTS{alertname!="LeaktrendLeak",alertstate="firing"})`: "",
		`scrape_samples_scraped{job="service"} > 30`:                    "some",
	} {
		found, err := ask(base, query)
		switch {
		case err != nil:
			t.Errorf("%s: %v", query, err)
		case want == "" && len(found) == 0, want == "some" && len(found) > 0:
		case len(found) != 1 || found[0].Value[1] != want:
			t.Errorf("%s = %v, want %q", query, found, want)
		}
	}
}
