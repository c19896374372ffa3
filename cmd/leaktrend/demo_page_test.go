package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
)

// demoPage starts a demo that serves its live page, and returns the address of that.
func demoPage(t *testing.T, leak string) (url string) {
	t.Helper()
	command := exec.Command(os.Args[0], "demo", "--leak", leak, "--listen", "127.0.0.1:0", "--duration", "1h")
	command.Env = append(os.Environ(), asCommand+"=1")
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := regexp.MustCompile(`http://\S+/debug/leaks/`).FindString(lines.Text()); found != "" {
			go func() {
				for lines.Scan() { // what is not read would stop it
				}
			}()
			return found
		}
	}
	t.Fatal("the demo gave no address")
	return ""
}

// Somebody looks at the page of a service while it begins to leak: the leak appears without a reload.
func TestLivePageInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute of real time")
	}
	t.Parallel()
	tab := browsertest.Open(t, "data:text/html,", 1100, 900, "light") // first, as a browser may take longer to start than a demo to leak
	url := demoPage(t, "goroutines")
	tab.Navigate(url)
	heading := func(tab *browsertest.Tab) string {
		return browsertest.Eval[string](tab, `document.querySelector('h1').textContent`)
	}
	if got := heading(tab); strings.HasPrefix(got, "Leak") {
		t.Fatalf("a leak before there is one: %q", got)
	}
	tab.Focus("nav a")
	if !browsertest.Eval[bool](tab, `window.stillTheSame = true`) {
		t.Fatal("the page cannot be marked")
	}
	tab.Await(`document.querySelector('h1').textContent === 'Leak: goroutines' && document.querySelector('.events li')?.innerText.includes('goroutines leak: ')`)
	if !browsertest.Eval[bool](tab, `window.stillTheSame === true`) {
		t.Error("the page was loaded anew")
	}
	if got := browsertest.Eval[string](tab, `document.activeElement.textContent`); got != "last 15m" {
		t.Errorf("the focus is at %q now", got)
	}
	if got := browsertest.Eval[string](tab, `document.title`); !strings.HasPrefix(got, "Leak: goroutines · ") {
		t.Errorf("the title is %q", got)
	}
	for _, test := range []struct {
		name  string
		tab   *browsertest.Tab
		width int64
		paper string
	}{
		{"light-1100", tab, 1100, "rgb(255, 255, 255)"},
		{"dark-375", browsertest.Open(t, url+"?last=15m", 375, 800, "dark"), 375, "rgb(20, 23, 28)"},
	} {
		tab := test.tab
		tab.Shot("live-" + test.name)
		if got := browsertest.Eval[string](tab, `getComputedStyle(document.body).backgroundColor`); got != test.paper {
			t.Errorf("%s: the paper is %s", test.name, got)
		}
		if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > test.width {
			t.Errorf("%s: the page is %d wide", test.name, got)
		}
		if got := browsertest.Eval[string](tab, `document.querySelector('tbody tr').innerText.replace(/\s+/g, ' ')`); !strings.Contains(got, "LEAK goroutines") {
			t.Errorf("%s: the first row is %q", test.name, got)
		}
		// The samples rise over a good part of the first plot.
		type box struct{ Width, Height, Plot float64 }
		line := browsertest.Eval[box](tab, `(() => {
			const plot = document.querySelector('svg.plot'), r = plot.querySelector('.l-sample, .l-dense').getBoundingClientRect();
			return {Width: r.width, Height: r.height, Plot: plot.getBoundingClientRect().width}})()`)
		if line.Height < 60 || line.Width < line.Plot/2 {
			t.Errorf("%s: the samples are %.0f x %.0f in a plot of %.0f", test.name, line.Width, line.Height, line.Plot)
		}
		if got := browsertest.Eval[string](tab, `document.querySelector('.events li').innerText`); !strings.Contains(got, "goroutines leak: ") {
			t.Errorf("%s: the alert is %q", test.name, got)
		}
	}

	// Nothing is swapped while a value is looked at, and its tip stays.
	tab.Focus("svg.plot")
	tab.Press("End")
	tip := browsertest.Eval[string](tab, `document.querySelector('.tip').innerText`)
	time.Sleep(3 * time.Second)
	if got := browsertest.Eval[string](tab, `document.querySelector('.tip')?.innerText`); got != tip || tip == "" {
		t.Errorf("the tip was %q, and is %q", tip, got)
	}

	answer, err := http.Get(url + "status")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var status struct{ Healthy bool }
	if err := json.NewDecoder(answer.Body).Decode(&status); err != nil || status.Healthy {
		t.Errorf("healthy %t, %v", status.Healthy, err)
	}
}
