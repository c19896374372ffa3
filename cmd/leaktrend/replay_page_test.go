package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
	"github.com/mdzesseis/leaktrend/sampler"
)

// report writes the report of shipped recordings and returns its address.
func htmlReport(t *testing.T, recordings ...string) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	arguments := []string{"replay", "--html", path}
	for _, name := range recordings {
		arguments = append(arguments, filepath.Join("..", "..", "testdata", "recordings", name))
	}
	if got := leaktrend(t, "", arguments...); got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	return "file://" + path
}

// What a person does with the report: look at it in both colour schemes and on a phone, point at a plot, use the
// keyboard.
func TestReportInBrowser(t *testing.T) {
	t.Parallel()
	url := htmlReport(t, "go-body.csv", "go-restart.csv", "go-longpoll.csv")
	for _, test := range []struct {
		scheme string
		width  int64
		paper  string
	}{
		{"light", 1100, "rgb(255, 255, 255)"},
		{"dark", 1100, "rgb(20, 23, 28)"},
		{"light", 375, "rgb(255, 255, 255)"},
		{"dark", 375, "rgb(20, 23, 28)"},
	} {
		name := fmt.Sprintf("%s-%d", test.scheme, test.width)
		t.Run(name, func(t *testing.T) {
			tab := browsertest.Open(t, url, test.width, 900, test.scheme)
			tab.Shot("report-" + name)

			if got := browsertest.Eval[string](tab,
				`document.querySelector('h1').textContent`); got != "3 recordings: 2 with a leak, 1 without a leak" {
				t.Errorf("the heading is %q", got)
			}
			if got := browsertest.Eval[string](tab,
				`getComputedStyle(document.body).backgroundColor`); got != test.paper {
				t.Errorf("the paper is %s", got)
			}
			// Nothing sticks out at the side.
			if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > test.width {
				t.Errorf("the page is %d wide", got)
			}
			// The worst is on top, and leads to its plot.
			type row struct{ Verdict, Resource, Link string }
			got := browsertest.Eval[[]row](tab,
				`Array.from(document.querySelectorAll('tbody tr')).slice(0, 4).map(r => ({
				Verdict: r.cells[0].innerText, Resource: r.cells[1].innerText.replace(/\s+/g, ' '),
				Link: document.querySelector(r.cells[1].querySelector('a').getAttribute('href')).tagName}))`)
			want := []row{
				{"LEAK", "open_fds go-body.csv", "ARTICLE"}, {"LEAK", "goroutines go-body.csv", "ARTICLE"},
				{"LEAK", "goroutines go-restart.csv", "ARTICLE"}, {"LEAK", "heap_live_bytes go-body.csv", "ARTICLE"},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			// The leak can be seen: the fitted line climbs over a good part of the plot, in the colour of its ink.
			type box struct{ Width, Height, Plot float64 }
			line := browsertest.Eval[box](tab, `(() => {
				const plot = document.querySelector('svg.plot'), r = plot.querySelector('.l-fit').getBoundingClientRect();
				return {Width: r.width, Height: r.height, Plot: plot.getBoundingClientRect().width}})()`)
			if line.Width < line.Plot/4 || line.Height < 30 || line.Plot < float64(test.width)*.85-60 {
				t.Errorf("the fitted line is %.0f x %.0f in a plot of %.0f", line.Width, line.Height, line.Plot)
			}
			// Text keeps its size when the plot is narrow.
			if got := browsertest.Eval[string](tab, `getComputedStyle(document.querySelector('svg.plot `+
				`text')).fontSize`); got != "11px" {
				t.Errorf("labels are %s", got)
			}

			// Pointing at the last sample tells its value, and that before none was shown.
			if got := browsertest.Eval[int](tab, `document.querySelectorAll('.tip').length`); got != 0 {
				t.Errorf("%d tips at first", got)
			}
			type spot struct{ X, Y float64 }
			at := browsertest.Eval[spot](tab, `(() => {
				const plot = document.querySelector('svg.plot');
				plot.scrollIntoView({block: 'center'});
				const r = plot.getBoundingClientRect();
				return {X: r.left + r.width * .5, Y: r.top + r.height / 2}})()`)
			tab.Point(at.X, at.Y)
			tip := browsertest.Eval[string](tab, `document.querySelector('.tip').innerText`)
			if !regexp.MustCompile(
				`^\d+( to \d+)?\nbaseline \d+ ± \d+\nminimum \d+\n2026-11-23 15:\d\d:\d\d UTC$`).MatchString(tip) {
				t.Errorf("the tip says %q", tip)
			}
			inside := browsertest.Eval[bool](tab, `(() => {
				const r = document.querySelector('.tip').getBoundingClientRect();
				return r.left >= 0 && r.right <= innerWidth && r.top >= 0 && r.bottom <= innerHeight})()`)
			if !inside {
				t.Error("the tip is not wholly in sight")
			}
			tab.Shot("report-hover-" + name)

			// The keyboard gets at every value: End is the last, arrows go on from there, Escape ends it.
			tab.Focus("svg.plot")
			tab.Press("End")
			if got := browsertest.Eval[string](tab,
				`document.querySelector('.tip').innerText.replace(/\n/g, ' | ')`); got != "115 | baseline 35 ± 22 | "+
				"2026-11-23 15:58:32 UTC" {
				t.Errorf("at the end: %q", got)
			}
			tab.Press("Home", "ArrowRight")
			if got := browsertest.Eval[string](tab, `document.querySelector('.tip').innerText`); !strings.Contains(got,
				"15:28:") {
				t.Errorf("at the start: %q", got)
			}
			// A screen reader says what the tip shows.
			spoken := browsertest.Eval[[]string](tab,
				`(e => [e.getAttribute('role'), e.getAttribute('aria-valuenow'), `+
					`e.getAttribute('aria-valuetext')])(document.activeElement)`)
			shown := browsertest.Eval[string](tab, `document.querySelector('.tip').innerText.replace(/\n/g, ', ')`)
			if diff := cmp.Diff([]string{"slider", "1", shown}, spoken); diff != "" {
				t.Errorf("what is spoken (-want +got):\n%s", diff)
			}
			tab.Press("Escape")
			if got := browsertest.Eval[int](tab, `document.querySelectorAll('.tip, .cross').length`); got != 0 {
				t.Error("Escape leaves the tip")
			}
		})
	}
}

// Whoever looks from another zone reads times in that one, and its name.
func TestReportInViewersZone(t *testing.T) {
	t.Parallel()
	url := htmlReport(t, "go-body.csv")
	tab := browsertest.Open(t, url, 1100, 900, "light")
	tab.SetZone("Asia/Kolkata")
	for expression, want := range map[string]string{
		`document.querySelector('header [data-as=zone]').textContent`:         "GMT+5:30",
		`document.querySelector('svg.plot text[data-as=minute]').textContent`: "21:00",
		`document.querySelector('tbody time').textContent`:                    "2026-11-23 20:58:33",
	} {
		if got := browsertest.Eval[string](tab, expression); got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// Numbers under the pointer are written as everywhere else.
func TestPageFormats(t *testing.T) {
	t.Parallel()
	tab := browsertest.Open(t, htmlReport(t, "go-body.csv"), 1100, 900, "light")
	var calls, want []string
	for _, unit := range []string{"", "bytes", "seconds"} {
		for _, value := range []float64{
			0, .000_45, .001_23, .04, .25, .9994, .9996, 1, 3.14159, 9.96, 10.4, 59.4, 59.7, 100, 999.4, 1023.4, 1023.6,
			2911, 3599, 3600, 12000, 84_000, 86_400, 90_061, 1e6, 1.5e9,
			1 << 40, 1e15, 12345678901234567890, -42,
		} {
			calls = append(calls, fmt.Sprintf("leaktrend.format(%v, %q)", value, unit))
			want = append(want, sampler.Resource{Unit: unit}.Format(value))
		}
	}
	got := browsertest.Eval[[]string](tab, "["+strings.Join(calls, ",")+"]")
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s is %q in the page, %q elsewhere", calls[i], got[i], want[i])
		}
	}
}

// A million samples make a page of a few hundred KB, in which a single spike stands out.
func TestReportOfAMillionSamples(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	dir := t.TempDir()
	recording, page := filepath.Join(dir, "long.csv"), filepath.Join(dir, "report.html")
	const samples, resources = 1_000_000, 4
	var b strings.Builder
	b.WriteString("time,goroutines,heap_live_bytes,open_fds,threads\n")
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Unix()
	for i := range samples {
		spike := 0
		if i == 654_321 {
			spike = 5000
		}
		fmt.Fprintf(&b, "%d,%d,%d,%d,%d\n", start+int64(i), 200+i*7919%31+spike, 5_000_000+i*104729%1_000_003,
			40+i*31%7, 12)
	}
	if err := os.WriteFile(recording, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := leaktrend(t, "", "replay", "--html", page, recording); got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	info, err := os.Stat(page)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d samples of %d resources: %d KB", samples, resources, info.Size()/1024)
	if info.Size() > 500_000 {
		t.Errorf("the page has %d bytes", info.Size())
	}
	tab := browsertest.Open(t, "file://"+page, 1100, 900, "light")
	tab.Shot("report-million")
	type spike struct{ Height, At float64 }
	got := browsertest.Eval[spike](tab, `(() => {
		const plot = Array.from(document.querySelectorAll('svg.plot')).find(s => s.dataset.name === 'goroutines');
		let t = 0, v = 0, r = 0, best = {Height: 0, At: 0};
		const ts = plot.dataset.t.split(' '), vs = plot.dataset.v.split(' '), rs = plot.dataset.r.split(' ');
		ts.forEach((_, i) => { t += +ts[i]; v += +vs[i]; r += +rs[i]; if (v + r > best.Height) { best = {Height: v + r, At: t}; } });
		return best})()`)
	if want := 200 + 654_321*7919%31 + 5000; got.Height != float64(want) || got.At < float64(start+654_321) ||
		got.At > float64(start+654_321+2000) {
		t.Errorf("the spike is %+v, want %d at %d", got, want, start+654_321)
	}
	// It is as high as the plot.
	height := browsertest.Eval[float64](tab, `Array.from(document.querySelectorAll('svg.plot')).find(s => `+
		`s.dataset.name === 'goroutines').querySelector('.l-sample').getBoundingClientRect().height`)
	if height < 150 {
		t.Errorf("the samples take %.0f pixels of height", height)
	}
}
