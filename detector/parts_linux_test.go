package detector

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mdzesseis/leaktrend/alerting"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/process"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// The embedded monitor tells what its own descriptors are, and the same monitor of another process tells that from
// outside.
func TestAlertNamesTheParts(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer := "CLOSE_WAIT to " + l.Addr().String()
	monitors := map[string]func(Config) (*ResourceMonitor, error){
		"inside": func(c Config) (*ResourceMonitor, error) {
			_, logger := newJournal()
			return NewMonitor(c, logger)
		},
		"outside": func(c Config) (*ResourceMonitor, error) {
			p, err := process.New(os.Getpid())
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { _ = p.Close() })
			_, logger := newJournal()
			return NewSourceMonitor(p, alerting.Process{}, c, logger)
		},
	}
	for name, newMonitor := range monitors {
		t.Run(name, func(t *testing.T) {
			config := DefaultConfig()
			config.CheckInterval, config.FDThreshold = 10*time.Millisecond, 50
			m, err := newMonitor(config)
			if err != nil {
				t.Fatal(err)
			}
			samples, next := make(chan struct{}), make(chan struct{})
			m.OnSample(func(*sampler.Sample) { // waits for next: what is opened before that comes in one step
				select {
				case samples <- struct{}{}:
				case <-next:
				}
				<-next
			})
			alerts := make(chan alerting.Alert, 10)
			m.OnAlert(func(a alerting.Alert) { alerts <- a })
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			defer m.Stop()
			goOn := sync.OnceFunc(func() { close(next) })
			defer goOn()
			await.True(t, "the parts of a start that has settled", func() bool {
				await.Receive(t, "a sample", samples)
				m.state.mu.Lock()
				_, settled := m.state.detector.engine.Of(sampler.OpenFDs).Start()
				m.state.mu.Unlock()
				if settled { // they are looked at after this sample, before the next
					next <- struct{}{}
					await.Receive(t, "a sample", samples)
					return true
				}
				next <- struct{}{}
				return false
			})
			path := filepath.Join(t.TempDir(), "f")
			for range 3 {
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
			}
			for range 120 {
				client, err := net.Dial("tcp4", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				server, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				_ = server.Close()
			}
			goOn()
			var a alerting.Alert
			for a.Resource != sampler.OpenFDs {
				a = await.Receive(t, "an alert on descriptors", alerts)
			}
			if len(a.Parts) == 0 {
				t.Fatalf("the alert has no parts: %+v", a)
			}
			want := alerting.Part{What: "tcp", Detail: peer}
			if diff := cmp.Diff(want, a.Parts[0], cmpopts.IgnoreFields(alerting.Part{}, "Count", "Growth", "Share",
				"Since")); diff != "" {
				t.Errorf("first part (-want +got):\n%s", diff)
			}
			p := a.Parts[0]
			if p.Growth < 80 || p.Growth > 120 || p.Share < .9 || p.Since.IsZero() {
				t.Errorf("first part %+v", p)
			}
			// The growth that the parts tell may be since another time than the alert's.
			if !regexp.MustCompile(`new descriptors( since [0-9: -]+)? are tcp ` + regexp.QuoteMeta(peer) +
				"$").MatchString(a.Summary) {
				t.Errorf("summary %q", a.Summary)
			}
		})
	}
}
