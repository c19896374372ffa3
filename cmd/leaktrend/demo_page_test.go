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
	// first, as a browser may take longer to start than a demo to leak
	tab := browsertest.Open(t, "data:text/html,", 1100, 900, "light")
	url := demoPage(t, "goroutines")
	tab.Navigate(url)
	heading := func(tab *browsertest.Tab) string {
		return browsertest.Eval[string](tab, `document.querySelector('h1').textContent`)
	}
	if got := heading(tab); strings.HasPrefix(got, "Leak") {
		t.Fatalf("a leak before there is one: %q", got)
	}
	tab.Focus("header button")
	if !browsertest.Eval[bool](tab, `window.stillTheSame = true`) {
		t.Fatal("the page cannot be marked")
	}
	tab.Await(`document.querySelector('h1').textContent === 'Leak: goroutines' && document.querySelector('.events ` +
		`li')?.innerText.includes('goroutines leak: ')`)
	if !browsertest.Eval[bool](tab, `window.stillTheSame === true`) {
		t.Error("the page was loaded anew")
	}
	// The line that the alert names is marked as it is.
	tab.Await(`[...document.querySelectorAll('#sites tbody tr')].some(r => /LEAK|PROVEN/.test(r.innerText) && ` +
		`r.innerText.includes('waitForAnswer'))`)
	if got := browsertest.Eval[string](tab, `document.activeElement.textContent`); got != "Pause" {
		t.Errorf("the focus is at %q now", got)
	}
	if got := browsertest.Eval[string](tab, `document.title`); !strings.HasPrefix(got, "Leak: goroutines · ") {
		t.Errorf("the title is %q", got)
	}
	dark := browsertest.Open(t, url+"?last=15m", 375, 800, "dark")
	for _, test := range []struct {
		name  string
		tab   *browsertest.Tab
		width int64
		paper string
	}{
		{"light-1100", tab, 1100, "rgb(255, 255, 255)"},
		{"dark-375", dark, 375, "rgb(20, 23, 28)"},
	} {
		tab := test.tab
		tab.Shot("live-" + test.name)
		if got := browsertest.Eval[string](tab, `getComputedStyle(document.body).backgroundColor`); got != test.paper {
			t.Errorf("%s: the paper is %s", test.name, got)
		}
		if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > test.width {
			t.Errorf("%s: the page is %d wide", test.name, got)
		}
		if got := browsertest.Eval[string](tab,
			`document.querySelector('tbody tr').innerText.replace(/\s+/g, ' ')`); !strings.Contains(got,
			"LEAK goroutines") {
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
		if got := browsertest.Eval[string](tab, `document.querySelector('.events li').innerText`); !strings.Contains(
			got, "goroutines leak: ") {
			t.Errorf("%s: the alert is %q", test.name, got)
		}
		if got := browsertest.Eval[int](tab, `document.querySelectorAll('.key').length`); got != 1 {
			t.Errorf("%s: %d keys", test.name, got)
		}
		if got := browsertest.Eval[string](tab,
			`document.getElementById('news').textContent`); got != "Leak: goroutines" {
			t.Errorf("%s: a screen reader says %q", test.name, got)
		}
	}

	// No window is offered that is longer than what was sampled, but for the one that is shown.
	for tab, want := range map[*browsertest.Tab]string{tab: "", dark: "last 15m, all"} {
		if got := browsertest.Eval[string](tab, `Array.from(document.querySelectorAll('.spans a')).map(a => `+
			`a.innerText).join(', ')`); got != want {
			t.Errorf("offered are %q, want %q", got, want)
		}
	}
	livePageFolds(t, tab)
	livePagePauses(t, tab)
	livePageZooms(t, tab)
	livePageSpreads(t, dark)

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

// sampledAt is an expression for the time of the sample that the page shows.
const sampledAt = `document.querySelector('header time[data-as=second]').dataset.at`

// livePageFolds unfolds the plots of what does not grow, which stay so when the page is drawn anew.
func livePageFolds(t *testing.T, tab *browsertest.Tab) {
	if !browsertest.Eval[bool](tab, `document.querySelector('details') !== null && `+
		`!document.querySelector('details').open`) {
		t.Error("the plots of what does not grow are not folded away")
	}
	tab.Focus("summary")
	browsertest.Eval[bool](tab, `(document.activeElement.click(), true)`)
	tab.Await(`document.querySelector('details').open && (window.before = ` + sampledAt + `)`)
	tab.Await(sampledAt + ` !== before`)
	if !browsertest.Eval[bool](tab, `document.querySelector('details').open && document.activeElement.tagName === `+
		`'SUMMARY'`) {
		t.Error("a refresh folds what was unfolded, or takes the focus")
	}
}

// livePagePauses stops the page, which then stays as it is, and has it go on.
func livePagePauses(t *testing.T, tab *browsertest.Tab) {
	press := func() { browsertest.Eval[bool](tab, `(document.querySelector('[data-id=pause]').click(), true)`) }
	press()
	requests := `performance.getEntriesByType('resource').filter(e => e.name.includes('live')).length`
	before, n := browsertest.Eval[string](tab, sampledAt), browsertest.Eval[int](tab, requests)
	tab.Await(`new Promise(done => setTimeout(() => done(true), 5000))`) // refreshes come every two seconds
	if got := browsertest.Eval[string](tab, sampledAt); got != before {
		t.Errorf("the page went on from %s to %s while it was paused", before, got)
	}
	if more := browsertest.Eval[int](tab, requests) - n; more > 1 { // one may have been on its way
		t.Errorf("the page asked %d times while it was paused", more)
	}
	if got := browsertest.Eval[string](tab, `document.getElementById('stale').innerText + `+
		`document.querySelector('[data-id=pause]').innerText`); got != "Paused. Go on" {
		t.Errorf("the paused page says %q", got)
	}
	press()
	tab.Await(sampledAt + ` !== "` + before + `"`)
}

// livePageZooms enlarges a part of the time, which stays when the page is drawn anew.
func livePageZooms(t *testing.T, tab *browsertest.Tab) {
	type box struct{ X, Y, Width float64 }
	b := browsertest.Eval[box](tab, `(p => { p.scrollIntoView({block: 'center'}); const r = `+
		`p.getBoundingClientRect(); return {X: r.left, Y: r.top + r.height / 2, Width: r.width} `+
		`})(document.querySelector('svg.plot'))`)
	tab.Drag(b.X+.25*b.Width, b.Y, b.X+.75*b.Width, b.Y)
	tab.Point(1, 1) // no value is shown, so that the page goes on
	part := `(d => d.nowFrom + ' ' + d.nowTo)(document.querySelector('svg.plot').dataset)`
	shown := browsertest.Eval[string](tab, part)
	if strings.Contains(shown, "undefined") {
		t.Fatal("a drag enlarges nothing")
	}
	tab.Await(`window.before = ` + sampledAt)
	tab.Await(sampledAt + ` !== before`)
	if got := browsertest.Eval[string](tab, part); got != shown {
		t.Errorf("a refresh shows %s in place of %s", got, shown)
	}
	tab.Shot("live-zoom")
	browsertest.Eval[bool](tab, `(document.querySelector('.unzoom').click(), true)`)
	if got := browsertest.Eval[int](tab, `document.querySelectorAll('[data-now-from], .unzoom').length`); got != 0 {
		t.Error("the whole time is not shown again")
	}
}

// livePageSpreads enlarges a part of the time with two fingers, and takes it back with two.
func livePageSpreads(t *testing.T, tab *browsertest.Tab) {
	type box struct{ X, Y, Width float64 }
	b := browsertest.Eval[box](tab, `(p => { p.scrollIntoView({block: 'center'}); const r = `+
		`p.getBoundingClientRect(); return {X: r.left, Y: r.top + r.height / 2, Width: r.width} `+
		`})(document.querySelector('svg.plot'))`)
	const span = `(d => Math.round(10 * ((d.nowTo || d.to) - (d.nowFrom || d.from)) / (d.to - ` +
		`d.from)))(document.querySelector('svg.plot').dataset)`
	tab.Spread(b.Y, b.X+.4*b.Width, b.X+.6*b.Width, b.X+.3*b.Width, b.X+.7*b.Width)
	if got := browsertest.Eval[int](tab, span); got != 5 {
		t.Errorf("%d tenths of the time are shown after two fingers have spread to twice", got)
	}
	if got := browsertest.Eval[[]string](tab, `Array.from(document.querySelectorAll('svg.plot text')).filter(t => `+
		`t.checkVisibility() && t.getBoundingClientRect().right > innerWidth).map(t => t.textContent)`); len(got) > 0 {
		t.Errorf("beyond the right edge: %q", got)
	}
	tab.Shot("live-spread-375")
	tab.Spread(b.Y, b.X+.2*b.Width, b.X+.8*b.Width, b.X+.4*b.Width, b.X+.6*b.Width)
	if got := browsertest.Eval[int](tab, span); got != 10 {
		t.Errorf("%d tenths of the time are shown after two fingers have come together", got)
	}
}

// axe-core finds nothing wrong with the live page.
func TestLivePageIsAccessible(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, demoPage(t, "none"), 1100, 900, "light")
	tab.Await(`document.querySelector('svg.plot')`)
	// what is checked stands still
	browsertest.Eval[bool](tab, `(document.querySelector('[data-id=pause]').click(), true)`)
	for scheme, width := range map[string]int64{"light": 1100, "dark": 375} {
		tab.Emulate(width, 900, scheme)
		for _, v := range tab.Violations() {
			t.Errorf("%s: %s", scheme, v)
		}
	}
	if n := tab.Stops(); n > 20 {
		t.Errorf("the tab key stops %d times", n)
	}
}
