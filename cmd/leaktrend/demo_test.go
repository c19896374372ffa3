package main

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// The monitor of a demo watches its own process, so each demo needs one.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of real time")
	}
	t.Parallel()
	leaking := map[string]string{
		"goroutines": `service\.go:\d+ accounts for`, "heap": `service\.go:\d+ keeps`,
		"fds": `service\.go:\d+ opened most of them with os\.Open`,
	}
	for leak, says := range map[string]string{
		"goroutines": "goroutines leak: ", "heap": "heap_live_bytes leak: ", "fds": "open_fds leak: ",
		"none": "No alert in 40s, as it should be",
	} {
		t.Run(leak, func(t *testing.T) {
			t.Parallel()
			if leak == "fds" && runtime.GOOS != "linux" {
				t.Skip("descriptors are counted on Linux only")
			}
			args := []string{"demo", "--leak", leak, "--duration", patience.String()}
			if leak == "none" {
				args = append(args[:3], "--duration", "40s")
			}
			command := exec.Command(os.Args[0], args...)
			command.Env = append(os.Environ(), asCommand+"=1")
			out, err := command.CombinedOutput()
			if err != nil || !strings.Contains(string(out), says) || leak != "none" &&
				!strings.Contains(string(out), "Found ") {
				t.Errorf("%v\n%s", err, out)
			}
			if leak == "goroutines" {
				checkDemo(t, string(out))
			}
			if names := leaking[leak]; !regexp.MustCompile(names).Match(out) {
				t.Errorf("it does not name the line that leaks, as %q:\n%s", names, out)
			}
		})
	}
}
