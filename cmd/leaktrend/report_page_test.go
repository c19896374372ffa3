package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
)

// wholeReport writes the report of all shipped recordings and returns its address.
func wholeReport(t *testing.T) (url string) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join("..", "..", "testdata", "recordings"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	return htmlReport(t, names...)
}

// The report of many recordings is short on a screen and on paper, and whoever uses keys alone is soon through it.
func TestReportOfManyRecordings(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	tab := browsertest.Open(t, wholeReport(t), 1100, 900, "light")
	height := browsertest.Eval[int](tab, `document.documentElement.scrollHeight`)
	pages, stops := tab.Pages(), tab.Stops()
	t.Logf("%d pixels, %d pages, %d stops of the tab key", height, pages, stops)
	if height > 15_000 || pages > 16 || stops > 30 {
		t.Errorf("%d pixels, %d pages, %d stops of the tab key", height, pages, stops)
	}
	if got := browsertest.Eval[int](tab, `document.querySelectorAll('.key').length`); got != 1 {
		t.Errorf("%d keys", got)
	}
	tab.Media("print")
	tab.Shot("report-print")
	tab.Media("")

	// All plots, with what is folded, are one stop, which goes along with the focus; up and down lead from one to the
	// next.
	at := func() string {
		return browsertest.Eval[string](tab,
			`(e => document.querySelectorAll('svg.plot[tabindex="0"], section summary[tabindex="0"]').length +
			' stop: ' + (e.querySelector('title') || e).textContent)(document.activeElement)`)
	}
	tab.Focus("#plots a")
	var visited []string
	for _, key := range []string{"Tab", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"} {
		tab.Press(key)
		visited = append(visited, at())
	}
	const first, fold, second = "1 stop: open_fds of go-file.csv", "1 stop: 4 without a finding: heap_live_bytes, " +
		"goroutines, threads, rss_bytes", "1 stop: open_fds of node-leak.csv"
	if diff := cmp.Diff([]string{first, fold, second, fold, first}, visited); diff != "" {
		t.Errorf("stops (-want +got):\n%s", diff)
	}
	// Labels of levels stand outside of the plot.
	if got := browsertest.Eval[int](tab,
		`Array.from(document.querySelectorAll('svg.plot')).filter(p => p.checkVisibility()).flatMap(p => {
		const lines = p.querySelector('svg').getBoundingClientRect(), page = document.querySelector('main').getBoundingClientRect();
		return Array.from(p.querySelectorAll('text[text-anchor=end][dx="-6"]')).map(t => t.getBoundingClientRect()).filter(t => t.right > lines.left || t.left < page.left)}).length`); got != 0 {
		t.Errorf("%d labels lie over their plots or beyond the page", got)
	}
}

// A filter leaves what it says, in the table and in the plots; an address leads to a filter, and to a plot wherever it
// is folded or filtered away.
func TestReportFilter(t *testing.T) {
	t.Parallel()
	url := htmlReport(t, "go-body.csv", "go-restart.csv", "go-longpoll.csv", "redis.csv")
	tab := browsertest.Open(t, url, 1100, 900, "light")
	type seen struct {
		Rows, Plots, Sections int
		Count, Hash           string
	}
	look := func() seen {
		return browsertest.Eval[seen](tab, `(() => {
			const visible = s => Array.from(document.querySelectorAll(s)).filter(e => e.checkVisibility()).length;
			return {Rows: visible('tbody tr'), Plots: visible('svg.plot'), Sections: visible('section'),
				Count: document.querySelector('output').value, Hash: location.hash}})()`)
	}
	enter := func(name, value string) {
		t.Helper()
		browsertest.Eval[bool](tab, fmt.Sprintf(`(e => { e.value = %q; e.dispatchEvent(new Event('input', {bubbles: `+
			`true})); return true })(document.forms[0].elements.%s)`,
			value, name))
	}
	all := seen{Rows: 4, Plots: 4, Sections: 2}
	if diff := cmp.Diff(all, look()); diff != "" {
		t.Errorf("at first (-want +got):\n%s", diff)
	}
	enter("text", "Go-Longpoll")
	if diff := cmp.Diff(seen{Rows: 5, Plots: 5, Sections: 1, Count: "5 of 18", Hash: "#?text=Go-Longpoll"},
		look()); diff != "" {
		t.Errorf("what is folded (-want +got):\n%s", diff)
	}
	enter("verdict", "LEAK")
	if diff := cmp.Diff(seen{Count: "0 of 18", Hash: "#?verdict=LEAK&text=Go-Longpoll"}, look()); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
	enter("text", "fds")
	if diff := cmp.Diff(seen{Rows: 1, Plots: 1, Sections: 1, Count: "1 of 18", Hash: "#?verdict=LEAK&text=fds"},
		look()); diff != "" {
		t.Errorf("one (-want +got):\n%s", diff)
	}
	filtered := browsertest.Eval[string](tab, `location.href`)
	enter("text", "")
	enter("verdict", "")
	if diff := cmp.Diff(all, look()); diff != "" {
		t.Errorf("at last (-want +got):\n%s", diff)
	}

	folded := browsertest.Eval[string](tab, `Array.from(document.querySelectorAll('article')).find(a => `+
		`!a.checkVisibility()).id`)
	for _, test := range []struct{ from, to string }{{url, "#" + folded}, {filtered, "#" + folded}} {
		tab.Navigate("about:blank/")
		tab.Navigate(test.from)
		browsertest.Eval[bool](tab, fmt.Sprintf(`(location.hash = %q, true)`, test.to))
		tab.Await(fmt.Sprintf(`document.querySelector(%q).checkVisibility() && `+
			`Math.abs(document.querySelector(%[1]q).getBoundingClientRect().top) < innerHeight`, test.to))
	}
	tab.Navigate("about:blank/")
	tab.Navigate(filtered)
	if got := look(); got.Rows != 1 || got.Plots != 1 {
		t.Errorf("the address of a filter shows %+v", got)
	}
}

// A part of the time is enlarged by the mouse and by keys, in all plots of a recording, and all of it is had again.
func TestReportZoom(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, htmlReport(t, "go-body.csv"), 1100, 900, "light")
	type zoomed struct {
		Span  float64 // of the time shown to all of it
		Lines float64 // of the width of the fitted line to that of the plot
		Ticks string
		Plots int
		Way   bool // back
	}
	look := func() zoomed {
		return browsertest.Eval[zoomed](tab, `(p => {
			const d = p.dataset, seen = Array.from(p.querySelectorAll('text')).filter(t => t.getClientRects().length > 0 && /^\d\d:\d\d/.test(t.textContent));
			return {Span: Math.round(100 * ((d.nowTo || d.to) - (d.nowFrom || d.from)) / (d.to - d.from)) / 100,
				Lines: p.querySelector('svg').viewBox.baseVal.width, Ticks: seen.map(t => t.textContent).join(' '),
				Plots: document.querySelectorAll('svg.plot[data-now-from]').length, Way: document.querySelector('.unzoom') !== null}})(document.querySelector('svg.plot'))`)
	}
	whole := look()
	if whole.Span != 1 || whole.Plots != 0 || whole.Way || whole.Lines != 720 {
		t.Errorf("at first: %+v", whole)
	}
	type box struct{ X, Y, Width float64 }
	inView := func() box {
		return browsertest.Eval[box](tab, `(p => { p.scrollIntoView({block: 'center'}); const r = `+
			`p.getBoundingClientRect(); return {X: r.left, Y: r.top + r.height / 2, Width: r.width} `+
			`})(document.querySelector('svg.plot'))`)
	}
	b := inView()
	tab.Drag(b.X+.25*b.Width, b.Y, b.X+.5*b.Width, b.Y)
	got := look()
	if got.Span != .25 || got.Lines < 179 || got.Lines > 181 || got.Plots != 5 || !got.Way ||
		len(strings.Fields(got.Ticks)) < 4 {
		t.Errorf("after a drag: %+v", got)
	}
	tab.Shot("report-zoom")
	// The values under the keys are those of the part that is shown.
	tab.Focus("svg.plot")
	tab.Press("End")
	inside := browsertest.Eval[bool](tab,
		`(() => { const c = document.querySelector('.cross').getBoundingClientRect(), p = document.querySelector('svg.plot').getBoundingClientRect();
		return c.left >= p.left - 1 && c.left <= p.right + 1 && c.left > p.left + p.width * .9 })()`)
	if !inside {
		t.Error("the value at the end does not stand at the end")
	}
	browsertest.Eval[bool](tab, `(document.querySelector('.unzoom').click(), true)`)
	if diff := cmp.Diff(whole, look()); diff != "" {
		t.Errorf("the whole time again (-want +got):\n%s", diff)
	}
	tab.Focus("svg.plot")
	tab.Press("+", "+")
	if got := look(); got.Span != .25 || got.Plots != 5 {
		t.Errorf("after two +: %+v", got)
	}
	tab.Press("-", "0")
	if diff := cmp.Diff(whole, look()); diff != "" {
		t.Errorf("after 0 (-want +got):\n%s", diff)
	}

	// Two fingers on a phone: what is under them stays there.
	tab.Emulate(375, 800, "dark")
	whole, b = look(), inView()
	tab.Spread(b.Y, b.X+.4*b.Width, b.X+.6*b.Width, b.X+.2*b.Width, b.X+.8*b.Width)
	if got := look(); got.Span != .33 || got.Plots != 5 || !got.Way {
		t.Errorf("after two fingers have spread: %+v", got)
	}
	tab.Shot("report-spread-375")
	shown := browsertest.Eval[float64](tab, `+document.querySelector('svg.plot').dataset.nowFrom`)
	tab.Spread(b.Y, b.X+.3*b.Width, b.X+.6*b.Width, b.X+.6*b.Width, b.X+.9*b.Width)
	if got, from := look(),
		browsertest.Eval[float64](tab, `+document.querySelector('svg.plot').dataset.nowFrom`); got.Span != .33 ||
		from >= shown {
		t.Errorf("after two fingers have moved to the right: %+v from %.0f, and from %.0f before", got, from, shown)
	}
	tab.Spread(b.Y, b.X+.1*b.Width, b.X+.9*b.Width, b.X+.45*b.Width, b.X+.55*b.Width)
	if diff := cmp.Diff(whole, look()); diff != "" {
		t.Errorf("after two fingers have come together (-want +got):\n%s", diff)
	}
}

// axe-core finds nothing wrong with the report: as it is opened, all unfolded, filtered and enlarged, in both schemes.
func TestReportIsAccessible(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, htmlReport(t, "go-body.csv", "go-restart.csv", "go-longpoll.csv", "redis.csv"), 1100,
		900, "light")
	check := func(name string) {
		t.Helper()
		for _, v := range tab.Violations() {
			t.Errorf("%s: %s", name, v)
		}
	}
	check("light")
	tab.Emulate(375, 800, "dark")
	check("dark, 375")
	browsertest.Eval[bool](tab, `(document.querySelectorAll('details').forEach(d => { d.open = true; }), true)`)
	check("unfolded, dark, 375")
	tab.Emulate(1100, 900, "light")
	tab.Focus("svg.plot")
	tab.Press("+", "ArrowLeft")
	check("enlarged")
}

// Without its script the report has all that it has, but for the filter.
func TestReportWithoutScript(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, "about:blank/", 1100, 900, "light")
	tab.DisableScripts()
	tab.Navigate(htmlReport(t, "go-body.csv", "redis.csv"))
	type seen struct {
		Filter, Hint  bool
		Plots, Folded int
		Time          string
	}
	got := browsertest.Eval[seen](tab,
		`({Filter: document.querySelector('form').checkVisibility(), Hint: document.querySelector('header .scripted').checkVisibility(),
		Plots: document.querySelectorAll('svg.plot').length, Folded: document.querySelectorAll('svg.plot').length - Array.from(document.querySelectorAll('svg.plot')).filter(p => p.checkVisibility()).length,
		Time: document.querySelector('tbody time').textContent})`)
	if diff := cmp.Diff(seen{Plots: 8, Folded: 5, Time: "2026-11-23 15:28:33"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
