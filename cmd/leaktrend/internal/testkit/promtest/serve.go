package promtest

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Need returns the path of a program, or skips the test.
func Need(t testing.TB, names ...string) (paths []string) {
	t.Helper()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not installed (Debian: apt-get install prometheus prometheus-alertmanager victoria-metrics)",
				name)
		}
		paths = append(paths, path)
	}
	return paths
}

// FreePort returns an address of this machine at which nothing listens.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Serve starts a server and waits until an address of it answers with 200. kill ends it.
func Serve(t testing.TB, ready, program string, args ...string) (kill func()) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	var once sync.Once
	kill = func() {
		once.Do(func() { _ = cmd.Process.Kill() })
		<-ended
	}
	t.Cleanup(kill)
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", program, &log)
		default:
		}
		if resp, err := http.Get(ready); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return kill
			}
		}
	}
	kill()
	t.Fatalf("%s is not ready:\n%s", program, &log)
	return nil
}

// VictoriaMetrics starts an empty one with some more flags and returns its address.
func VictoriaMetrics(t testing.TB, flags ...string) (address string) {
	t.Helper()
	program := Need(t, "victoria-metrics")[0]
	listen := FreePort(t)
	address = "http://" + listen
	Serve(t, address+"/health", program, append([]string{
		"-storageDataPath=" + t.TempDir(), "-httpListenAddr=" + listen, "-retentionPeriod=100y", "-loggerLevel=ERROR",
	}, flags...)...)
	return address
}

// Alertmanager starts an Alertmanager that tells nobody and returns its address, as in http://127.0.0.1:9093.
func Alertmanager(t testing.TB) (address string) {
	t.Helper()
	program := Need(t, "prometheus-alertmanager")[0]
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(config, []byte("route: {receiver: none}\nreceivers: [{name: none}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	listen := FreePort(t)
	address = "http://" + listen
	Serve(t, address+"/-/ready", program, "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address="+listen, "--cluster.listen-address=")
	return address
}
