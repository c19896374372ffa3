package endpoint

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// TestEndpointPrometheus reads a real Prometheus twice: its metrics, and what it says of itself in a range query.
func TestEndpointPrometheus(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus on PATH: install it to run this test")
	}
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s}\n"+
		"scrape_configs: [{job_name: self, static_configs: [{targets: ['%s']}]}]\n", address)
	configFile := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(configFile, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	cmd := exec.Command(binary, "--config.file="+configFile, "--web.listen-address="+address, "--storage.tsdb.path="+
		filepath.Join(dir, "data"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})

	e := newTestEndpoint(t, "http://"+address+"/metrics", nil)
	var s sampler.Sample
	await.Until(t, func() string {
		if err := e.Sample(context.Background(), &s); err != nil {
			return err.Error()
		}
		return ""
	})
	read := time.Now()
	startedNear := func(s *sampler.Sample) bool {
		// the boot time is known to the second
		return !s.Start.Before(start.Add(-2*time.Second)) && !s.Start.After(read.Add(2*time.Second))
	}
	for resource, minimum := range map[string]float64{sampler.Goroutines: 10, sampler.HeapInuseBytes: 1 << 20,
		sampler.StackBytes: 1 << 16, sampler.AllocBytes: 1 << 20, sampler.RSSBytes: 1 << 24, sampler.OpenFDs: 5,
		sampler.Threads: 3, sampler.CPUSeconds: 0.01} {
		if v, ok := s.Value(resource); !ok || v < minimum {
			t.Errorf("%s = %v, %v, want %v or more", resource, v, ok, minimum)
		}
	}
	if !startedNear(&s) {
		t.Errorf("start %v, want about %v", s.Start, start)
	}
	if len(s.Ceilings) == 0 || s.Ceilings[0].Resource != sampler.OpenFDs || s.Ceilings[0].Level < 64 {
		t.Errorf("ceilings %v", s.Ceilings)
	}

	query := url.Values{"query": {`{job="self",__name__=~"go_goroutines|process_.*"}`}, "step": {"1"}}
	await.Until(t, func() string {
		query.Set("start", fmt.Sprint(time.Now().Add(-20*time.Second).Unix()))
		query.Set("end", fmt.Sprint(time.Now().Unix()))
		resp, err := http.Get("http://" + address + "/api/v1/query_range?" + query.Encode())
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		r, err := recording.NewReader(resp.Body, "range")
		if err != nil {
			return err.Error()
		}
		var got []sampler.Sample
		for {
			var s sampler.Sample
			if err := r.Sample(t.Context(), &s); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			got = append(got, s)
		}
		if n, errs := r.Faults(); n > 0 {
			t.Errorf("faults: %v", errs)
		}
		if len(got) < 2 {
			return fmt.Sprintf("a range of %d samples", len(got))
		}
		for _, s := range got {
			goroutines, _ := s.Value(sampler.Goroutines)
			fds, _ := s.Value(sampler.OpenFDs)
			if goroutines < 10 || fds < 5 || !startedNear(&s) || len(s.Ceilings) != 1 ||
				s.Time.Before(start.Add(-time.Minute)) {
				t.Errorf("got %+v", s)
			}
		}
		return ""
	})
}
