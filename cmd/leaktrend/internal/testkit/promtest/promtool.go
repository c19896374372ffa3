// Package promtest runs what belongs to Prometheus, for tests of what leaktrend sends to it and reads from it. Only
// tests use it.
package promtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Promtool has promtool check a file of rules and, unless test is empty, run a file of unit tests, which names the
// rules as rules.yaml. The test is skipped where there is no promtool.
func Promtool(t testing.TB, rules, test string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool on the PATH (Debian package prometheus)")
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"rules.yaml": rules, "test.yaml": test} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := [][]string{{"check", "rules", "--lint-fatal", filepath.Join(dir, "rules.yaml")}}
	if test != "" {
		commands = append(commands, []string{"test", "rules", filepath.Join(dir, "test.yaml")})
	}
	for _, arguments := range commands {
		const shown = 5000 // bytes of what it says
		if out, err := exec.Command(tool, arguments...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out[:min(len(out), shown)])
		}
	}
}
