package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// Each shell has a script, which its shell accepts where it is installed.
func TestCompletionScripts(t *testing.T) {
	t.Parallel()
	for _, shell := range []struct{ name, says, check string }{
		{"bash", "complete -o default -F __start_leaktrend leaktrend", "-n"},
		{"zsh", "#compdef leaktrend", "-n"},
		{"fish", "complete -c leaktrend", "--no-execute"},
		{"powershell", "Register-ArgumentCompleter -CommandName 'leaktrend'", ""},
	} {
		script := leaktrend(t, "", "completion", shell.name)
		if script.code != 0 || script.stderr != "" || !strings.Contains(script.stdout, shell.says) {
			t.Errorf("completion %s: %+v", shell.name, script)
		}
		path, err := exec.LookPath(shell.name)
		if err != nil || shell.check == "" {
			continue
		}
		run := exec.Command(path, shell.check)
		run.Stdin = strings.NewReader(script.stdout)
		if out, err := run.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s %s: %v\n%s", shell.name, shell.check, err, out)
		}
	}
}

// offered are the words that the shell is given for the last one of a command line, without their descriptions, and
// whether files are offered beside them.
func offered(t *testing.T, line ...string) (words []string, files bool) {
	t.Helper()
	got := leaktrend(t, "", append([]string{"__complete"}, line...)...)
	lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
	for _, l := range lines[:len(lines)-1] {
		word, _, _ := strings.Cut(l, "\t")
		words = append(words, word)
	}
	return words, lines[len(lines)-1] == ":0"
}

// Every verb and every flag is offered.
func TestCompletionOffersAll(t *testing.T) {
	t.Parallel()
	verbs, _ := offered(t, "")
	for _, c := range documented(rootCommand())[1:] {
		if c.Parent().HasParent() {
			continue
		}
		if !slices.Contains(verbs, c.Name()) {
			t.Errorf("%s is not among the verbs that are offered: %s", c.Name(), verbs)
		}
		flags, _ := offered(t, c.Name(), "--")
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !slices.Contains(flags, "--"+f.Name) {
				t.Errorf("%s: --%s is not offered: %s", c.Name(), f.Name, flags)
			}
		})
	}
	if len(verbs) < 11 {
		t.Errorf("only %s are offered", verbs)
	}
}

func TestCompletionOfValues(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line  []string
		words []string
		files bool
	}{
		{[]string{"replay", "--format", ""}, []string{"text", "json", "junit"}, false},
		{[]string{"version", "--format", ""}, []string{"text", "json"}, false},
		{[]string{"demo", "--leak", ""}, []string{"goroutines", "heap", "fds", "none"}, false},
		{[]string{"watch", "--config", ""}, []string{"yaml", "yml"}, false}, // extensions of the files to offer
		{[]string{"watch", "--soak", ""}, nil, false},
		{[]string{"watch", "-o", ""}, nil, true},
		{[]string{"watch", ""}, nil, false},
		{[]string{"replay", ""}, nil, true},
		{[]string{"replay", "--exit-code", ""}, nil, true},
		{[]string{"man", "completion", ""}, []string{"bash", "fish", "powershell", "zsh"}, false},
		{[]string{"man", "watch", ""}, nil, false},
	} {
		words, files := offered(t, test.line...)
		if diff := cmp.Diff(test.words, words); diff != "" || files != test.files {
			t.Errorf("%q: files %t, want %t; words (-want +got):\n%s", test.line, files, test.files, diff)
		}
	}
}

// The values that are offered are those that the verbs take.
func TestCompletionIsAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range documented(rootCommand()) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range valuesOf(f) {
				if !strings.Contains(f.Usage, value) {
					t.Errorf("%s --%s: %s is offered, but its help does not name it: %s", c.Name(), f.Name, value,
						f.Usage)
				}
			}
		})
	}
}

// In bash, a word that is begun is completed.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, "leaktrend")); err != nil {
		t.Skip(err)
	}
	// _get_comp_words_by_ref is of the package bash-completion, which may not be installed.
	const session = `
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD; }
compopt() { :; } # works only within a completion
source <(leaktrend completion bash)
COMP_WORDS=(leaktrend wat) COMP_CWORD=1 COMP_LINE='leaktrend wat' COMP_POINT=13 COMP_TYPE=9
__start_leaktrend
echo "${COMPREPLY[@]}"`
	run := exec.Command(bash, "--norc", "-c", session)
	run.Env = append(os.Environ(), asCommand+"=1", "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	out, err := run.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "watch" {
		t.Errorf("bash completes wat to %q (%v)", out, err)
	}
}
