package detector

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/mdzesseis/leaktrend/detector/lives"
	saved "github.com/mdzesseis/leaktrend/detector/state"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/testdata/await"
)

// inService is in the environment of a process that is killed: where its state is.
const inService = "LEAKTREND_TEST_STATE_DIR"

// A service that is killed, and started again, is the next life of the one before.
func TestKilledServiceHasLives(t *testing.T) {
	if dir := os.Getenv(inService); dir != "" {
		serveUntilKilled(t, dir)
	}
	if runtime.GOOS == "windows" {
		t.Skip("the start of a process is not known here")
	}
	dir := t.TempDir()
	var record lives.Record
	for number := 1; number <= 3; number++ {
		service := exec.Command(os.Args[0], "-test.run=^TestKilledServiceHasLives$")
		service.Env = append(os.Environ(), inService+"="+dir)
		if err := service.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = service.Process.Kill() })
		await.True(t, "what is kept of the life", func() bool {
			files, _ := filepath.Glob(filepath.Join(dir, "*"+saved.Suffix))
			if len(files) != 1 {
				return false
			}
			s, err := saved.Read(files[0])
			record = s.Record
			return err == nil && s.PID == service.Process.Pid &&
				len(record.Latest().Curves[sampler.Goroutines].Floors) > 2
		})
		if err := service.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = service.Wait()
	}
	var ends []lives.End
	for i := range record.Lives {
		ends = append(ends, record.Lives[i].Ended)
	}
	if diff := cmp.Diff([]lives.End{lives.Replaced, lives.Replaced, lives.Running}, ends); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// serveUntilKilled is the service.
func serveUntilKilled(t *testing.T, dir string) {
	config := DefaultConfig()
	config.StateDir, config.CheckInterval, config.Adaptive.Soak = dir, 10*time.Millisecond, 10*time.Second
	logger := logrus.New()
	logger.SetOutput(io.Discard)
	m, err := NewMonitor(config, logger)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	select {}
}
