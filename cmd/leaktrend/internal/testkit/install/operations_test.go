package install

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var fenced = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// Each command with $ on the page of operations runs, in a shell with an empty home.
func TestOperationsCommands(t *testing.T) {
	t.Parallel()
	environment := shell(t)
	n := 0
	for _, block := range fenced.FindAllStringSubmatch(read(t, "docs/operations.md"), -1) {
		if block[1] != "console" {
			continue
		}
		n++
		script := strings.ReplaceAll("\n"+block[2], "\n$ ", "\n")
		if out, err := environment(script); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	if n < 3 {
		t.Errorf("only %d blocks of commands", n)
	}
}

// shell returns what runs scripts with leaktrend in the path, and an empty home and working directory.
func shell(t *testing.T) func(script string, variables ...string) (string, error) {
	t.Helper()
	command := leaktrend(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	dir := t.TempDir()
	return func(script string, variables ...string) (string, error) {
		run := exec.CommandContext(t.Context(), bash, "-e", "-c", script)
		run.Dir = dir
		run.Env = append(os.Environ(), "HOME="+dir, "PATH="+filepath.Dir(command)+string(os.PathListSeparator)+
			os.Getenv("PATH"))
		run.Env = append(run.Env, variables...)
		out, err := run.CombinedOutput()
		return string(out), err
	}
}

// Every command of leaktrend that docs/install and the page name is one, with its flags.
func TestOperationsFlags(t *testing.T) {
	t.Parallel()
	command := leaktrend(t)
	text := read(t, "docs/operations.md")
	for _, path := range []string{"leaktrend@.service", "github-soak.yaml"} {
		text += read(t, "docs/install/"+path)
	}
	lines := regexp.MustCompile("leaktrend(?::v[0-9.]+)? "+
		"(watch|record|replay|scan|check|tune|man|completion|version|convert|rules|demo)([^`\n|]*)").
		FindAllStringSubmatch(text, -1)
	for _, path := range []string{"sidecar", "daemonset", "scan", "scan-shards"} {
		for _, args := range containerArgs(t, "docs/install/kubernetes/"+path+".yaml") {
			lines = append(lines, []string{"", args[0], " " + strings.Join(args[1:], " ")})
		}
	}
	if len(lines) < 15 {
		t.Fatalf("only %d commands found", len(lines))
	}
	for _, line := range lines {
		help, err := exec.Command(command, line[1], "--help").Output()
		if err != nil {
			t.Errorf("%s: %v", line[1], err)
		}
		for _, flag := range regexp.MustCompile(` (--[a-z-]+)`).FindAllStringSubmatch(line[2], -1) {
			if !regexp.MustCompile(flag[1] + `\b`).Match(help) {
				t.Errorf("%s has no %s: %s", line[1], flag[1], line[2])
			}
		}
	}
}

// containerArgs returns the arguments of all containers of leaktrend in a manifest.
func containerArgs(t *testing.T, path string) (all [][]string) {
	t.Helper()
	var find func(n *yaml.Node)
	find = func(n *yaml.Node) {
		var container struct {
			Image string
			Args  []string
		}
		if n.Kind == yaml.MappingNode && n.Decode(&container) == nil &&
			strings.HasPrefix(container.Image, "leaktrend:") {
			all = append(all, container.Args)
		}
		for _, below := range n.Content {
			find(below)
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(read(t, path)))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			break
		}
		find(&document)
	}
	if len(all) != 1 || len(all[0]) == 0 {
		t.Fatalf("%s has %v", path, all)
	}
	return all
}

// The configurations in the manifests are valid.
func TestManifestConfigurations(t *testing.T) {
	t.Parallel()
	environment := shell(t)
	n := 0
	for _, path := range []string{"sidecar", "daemonset"} {
		decoder := yaml.NewDecoder(strings.NewReader(read(t, "docs/install/kubernetes/"+path+".yaml")))
		for {
			var object struct {
				Data       map[string]string
				StringData map[string]string `yaml:"stringData"`
			}
			if decoder.Decode(&object) != nil {
				break
			}
			for _, data := range []map[string]string{object.Data, object.StringData} {
				if text, ok := data["config.yaml"]; ok {
					n++
					if out, err := environment(`leaktrend check - <<< "$CONFIG"`, "CONFIG="+text); err != nil {
						t.Errorf("%s: %v\n%s", path, err, out)
					}
				}
			}
		}
	}
	if n != 2 {
		t.Errorf("%d configurations", n)
	}
}

// The soak step of the workflow fails for a service that leaks, as the exit code says, and ends the service and its
// load.
func TestSoakWorkflow(t *testing.T) {
	t.Parallel()
	environment := shell(t)
	var workflow struct {
		Jobs struct {
			Soak struct{ Steps []struct{ Name, Run string } }
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "docs/install/github-soak.yaml")), &workflow); err != nil {
		t.Fatal(err)
	}
	soak, report := "", ""
	for _, step := range workflow.Jobs.Soak.Steps {
		switch step.Name {
		case "Soak":
			soak = step.Run
		case "Report":
			report = step.Run
		}
	}
	for _, test := range []struct {
		name, service, last string
	}{
		// A descriptor more, 20 times a second, each of a file of its own.
		{"leaks", "bash -c 'echo $$ > pid; for i in {10..900}; do eval \"exec $i</dev/null\"; sleep .05; done'",
			"exit 1"},
		{"healthy", "bash -c 'echo $$ > pid; exec sleep 900'", "exit 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, _ := environment("mkdir "+test.name+"; cd "+test.name+"\nset +e; ( set -e\n"+strings.ReplaceAll(soak,
				"$SERVICE", test.service)+
				"\n); code=$?; set -e\n"+report+"\ntest -s soak.html\n"+
				"while grep -q '^State:.[^Z]' /proc/$(cat pid)/status 2>/dev/null; do sleep .1; done\necho exit $code",
				"LOAD=sleep 900", "WARM_UP=1s", "SOAK=30s")
			lines := strings.Split(strings.TrimSpace(out), "\n")
			if lines[len(lines)-1] != test.last {
				t.Errorf("want %s:\n%s", test.last, out)
			}
		})
	}
}
