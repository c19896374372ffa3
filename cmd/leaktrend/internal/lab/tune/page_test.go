package tune

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/testkit/browsertest"
)

// The page is as readable on a phone and in the dark as on a desk.
func TestPageInBrowser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tune.html")
	if err := os.WriteFile(path, []byte(page(t, stored(t))), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		scheme string
		width  int64
		paper  string
	}{{"light", 1100, "rgb(255, 255, 255)"}, {"dark", 375, "rgb(20, 23, 28)"}} {
		name := fmt.Sprintf("%s-%d", test.scheme, test.width)
		t.Run(name, func(t *testing.T) {
			tab := browsertest.Open(t, "file://"+path, test.width, 900, test.scheme)
			tab.Shot("tune-" + name)
			t.Run("accessible", func(t *testing.T) {
				for _, v := range tab.Violations() {
					t.Error(v)
				}
			})
			if got := browsertest.Eval[string](tab,
				`getComputedStyle(document.body).backgroundColor`); got != test.paper {
				t.Errorf("the paper is %s", got)
			}
			if got := browsertest.Eval[int64](tab, `document.documentElement.scrollWidth`); got > test.width {
				t.Errorf("the page is %d wide", got)
			}
			// Labels lie within their charts and are not too small to read.
			type label struct {
				Text         string
				Size         float64
				Inside, Seen bool
			}
			for _, l := range browsertest.Eval[[]label](tab,
				`Array.from(document.querySelectorAll('svg.scaled')).flatMap(chart => {
				const c = chart.getBoundingClientRect();
				return Array.from(chart.querySelectorAll('text')).map(text => {
					const r = text.getBoundingClientRect();
					return {Text: text.textContent, Size: r.height, Seen: r.width > 0,
						Inside: r.left >= c.left - 1 && r.right <= c.right + 1 && r.top >= c.top - 1 && r.bottom <= c.bottom + 1}})})`) {
				if !l.Inside || !l.Seen || l.Size < 9 {
					t.Errorf("label %+v", l)
				}
			}
		})
	}
}
