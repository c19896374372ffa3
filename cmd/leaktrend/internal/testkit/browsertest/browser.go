// Package browsertest opens pages in a headless Chromium, for tests of what a person sees.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// shotsVariable names the directory in which screenshots are kept, for people to look at.
const shotsVariable = "LEAKTREND_SHOTS"

// Tab is a page in a browser of its own.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// Open starts a browser and opens a page at a width and a height in CSS pixels, in a colour scheme: light or dark. The test is skipped
// where there is no Chromium. At its end the test fails if the page wrote an error to the console, threw an exception, or asked for anything that
// is not under its own address.
func Open(t testing.TB, url string, width, height int64, scheme string) *Tab {
	t.Helper()
	tab := &Tab{t: t}
	profile, err := os.MkdirTemp("", "leaktrend-browser")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Processes of the browser may still write when the first of them has ended.
		for range 100 {
			if err = os.RemoveAll(profile); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Log(err)
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(find(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		// Of the first start, which may take long on a busy machine.
		chromedp.WSURLReadTimeout(2*time.Minute),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	ctx, stop = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(stop)
	tab.ctx = ctx
	base := url[:strings.LastIndex(url, "/")+1]
	chromedp.ListenTarget(ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			tab.complain("exception: " + e.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
				var text []string
				for _, argument := range e.Args {
					text = append(text, string(argument.Value))
				}
				tab.complain(fmt.Sprintf("console %s: %s", e.Type, strings.Join(text, " ")))
			}
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, base) && !strings.HasPrefix(u, "data:") {
				tab.complain("asked for " + u)
			}
		}
	})
	t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, c := range tab.complaints {
			t.Error(c)
		}
	})
	tab.Run(network.Enable(), runtime.Enable())
	tab.Look(width, height, scheme)
	tab.Run(chromedp.Navigate(url))
	return tab
}

// Look changes the size and the colour scheme in which the page is shown.
func (tab *Tab) Look(width, height int64, scheme string) {
	tab.t.Helper()
	tab.Run(
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.EmulateViewport(width, height),
	)
}

// find returns where Chromium is.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium on the PATH (Debian package chromium)")
	return ""
}

func (tab *Tab) complain(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = append(tab.complaints, text)
}

// Run carries out actions and fails the test if one does not work.
func (tab *Tab) Run(actions ...chromedp.Action) {
	tab.t.Helper()
	if err := chromedp.Run(tab.ctx, actions...); err != nil {
		tab.t.Fatal(err)
	}
}

// SetZone opens the page anew for somebody in a zone, by its name in the time zone database.
func (tab *Tab) SetZone(name string) {
	tab.t.Helper()
	tab.Run(emulation.SetTimezoneOverride(name), chromedp.Reload())
}

// Eval evaluates an expression in the page.
func Eval[T any](tab *Tab, expression string) (value T) {
	tab.t.Helper()
	tab.Run(chromedp.Evaluate(expression, &value))
	return value
}

// Shot keeps a screenshot of the whole page under a name, where the environment asks for it.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	dir := os.Getenv(shotsVariable)
	if dir == "" {
		return
	}
	var png []byte
	tab.Run(chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
