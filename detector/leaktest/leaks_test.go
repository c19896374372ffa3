package leaktest_test

import (
	"math/bits"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What leaks is kept here.
var (
	kept    [][]byte
	values  []int
	entries = map[int]int{}
	files   []*os.File
	never   chan int // nobody sends, and what is global may be sent to: no proof
)

func init() { never = make(chan int) }

func abandoned() {
	c := make(chan int)
	go func() {
		<-c // line: abandoned
	}()
}

func unproven() {
	go func() {
		<-never // line: unproven
	}()
}

func keep(bytes int) {
	kept = append(kept, make([]byte, bytes)) // line: large
}

func ticking() {
	go func() {
		for range time.Tick(time.Hour) { // line: ticking
			kept = nil
		}
	}()
}

func atTwoLines(n int) {
	c := make(chan int)
	go func() {
		if n%2 == 0 {
			<-c // line: even
		} else {
			c <- 1 // line: odd
		}
	}()
}

func unclosed(url string) {
	r, err := http.Get(url) // line: unclosed
	if err == nil {
		_ = r.Status
	}
}

// lineOf returns the line of this file with a comment "line: NAME".
func lineOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("leaks_test.go")
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(text), "// line: "+name+"\n")
	if !found {
		t.Fatalf("no line %q", name)
	}
	return strconv.Itoa(strings.Count(before, "\n") + 1)
}

func TestLeaks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 1<<20))
	}))
	defer server.CloseClientConnections()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, test := range []struct {
		name, line, says string
		round            func()
	}{
		{"a goroutine that waits for nobody", "abandoned", `1 goroutine leaks a round, \d+ more wait here \(chan ` +
			`receive\)`, abandoned},
		{"without proof", "unproven", `1 goroutine leaks a round, \d+ more wait here \(chan receive\)$`, unproven},
		{"a ticker that goes on", "ticking", `1 goroutine leaks a round, \d+ more wait here \(chan receive\)`, ticking},
		{"three a round", "abandoned", `3 goroutines leak a round, \d+ more wait here`, func() {
			abandoned()
			abandoned()
			abandoned()
		}},
		{"at lines by turns", "even|odd", `goroutines? leaks? a round, \d+ more waits? here (and at other lines, in ` +
			`.*atTwoLines.func1|.*proven by the runtime$)`, func() {
			n++
			atTwoLines(bits.Len(uint((n - 1) / 5))) // another one in each stretch
		}},
		{"a body that is not closed", "unclosed", `goroutines? leaks? a round, \d+ more wait here .* in ` +
			`http\.\(\*(conn|persistConn)\)\..*, called from here through http.Get`, func() { unclosed(server.URL) }},
		{"small objects", "small", `B a round stays in use, .* more from here in \d+ objects`, func() {
			kept = append(kept, make([]byte, 16)) // line: small
		}},
		{"large objects", "large", `1.0 MB a round stays in use, .* more from here in \d+ objects`, func() {
			keep(1 << 20)
		}},
		{"a slice that grows", "slice", `B a round stays in use, .* more from here in what grows`, func() {
			values = append(values, 1) // line: slice
		}},
		{"a map that grows", "map", `B a round stays in use, .* more from here`, func() {
			entries[len(entries)] = 1 // line: map
		}},
		{"a timer that is far off", "timer", `B a round stays in use, .* more from here in \d+ objects`, func() {
			time.AfterFunc(time.Hour, func() {}) // line: timer
		}},
		{"a file", "file", `1 descriptor leaks a round, \d+ more are open \(file /.*/file\)`, func() {
			f, err := os.Open(path) // line: file
			if err != nil {
				panic(err)
			}
			files = append(files, f)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				kept, values, entries = nil, nil, map[int]int{}
				for _, f := range files {
					_ = f.Close()
				}
				files = nil
			}()
			start := time.Now()
			output := checked(test.round)
			t.Logf("%s\n%s", time.Since(start), output)
			var lines []string
			for name := range strings.SplitSeq(test.line, "|") {
				lines = append(lines, lineOf(t, name))
			}
			named := places.FindAllStringSubmatch(output, -1)
			if len(named) == 0 {
				t.Fatalf("want line %v", lines)
			}
			for _, found := range named {
				if found[1] != "leaks_test.go" || !slices.Contains(lines, found[2]) {
					t.Errorf("%s:%s is named, want line %v alone", found[1], found[2], lines)
				}
			}
			if !regexp.MustCompile(test.says).MatchString(named[0][3]) {
				t.Errorf("want %q", test.says)
			}
		})
	}
}
