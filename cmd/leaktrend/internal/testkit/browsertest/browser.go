// Package browsertest opens pages in a headless Chromium, for tests of what a person sees. Only tests use it; those
// of a page's text need no browser.
package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// shotsVariable names the directory in which screenshots are kept, for people to look at.
const shotsVariable = "LEAKTREND_SHOTS"

// Tab is a page in a browser of its own.
type Tab struct {
	t       testing.TB
	browser *browser
	loaded  chan struct{} // one for each time that the page has been loaded

	mu         sync.Mutex
	base       string // what the page may ask for begins with this
	complaints []string
}

// Open starts a browser and opens a page at a width and a height in CSS pixels, in a colour scheme: light or dark. The
// test is skipped where there is no Chromium. At its end the test fails if the page wrote an error to the console,
// threw an exception, or asked for anything that is not under its own address.
func Open(t testing.TB, url string, width, height int64, scheme string) *Tab {
	t.Helper()
	tab := &Tab{t: t, loaded: make(chan struct{}, 100)}
	t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		for _, c := range tab.complaints {
			t.Error(c)
		}
	})
	tab.browser = start(t, tab.happened)
	for _, domain := range []string{"Network", "Runtime", "Page"} {
		tab.do(domain+".enable", nil)
	}
	tab.Look(width, height, scheme)
	tab.Navigate(url)
	return tab
}

// Navigate opens another page in the tab.
func (tab *Tab) Navigate(url string) {
	tab.t.Helper()
	tab.mu.Lock()
	tab.base = url[:strings.LastIndex(url, "/")+1]
	tab.mu.Unlock()
	tab.load("Page.navigate", parameters{"url": url})
}

// happened notes what the browser says of the page unasked.
func (tab *Tab) happened(method string, params json.RawMessage) {
	var event struct {
		Type             string
		Args             []struct{ Value any }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
		Request struct{ URL string }
	}
	if err := json.Unmarshal(params, &event); err != nil {
		tab.complain(fmt.Sprintf("%s cannot be read: %v", method, err))
		return
	}
	switch method {
	case "Page.loadEventFired":
		tab.loaded <- struct{}{}
	case "Runtime.exceptionThrown":
		tab.complain("exception: " + event.ExceptionDetails.Text + " " + event.ExceptionDetails.Exception.Description)
	case "Runtime.consoleAPICalled":
		if event.Type == "error" || event.Type == "warning" {
			text := "console " + event.Type + ":"
			for _, argument := range event.Args {
				text += fmt.Sprintf(" %v", argument.Value)
			}
			tab.complain(text)
		}
	case "Network.requestWillBeSent":
		tab.mu.Lock()
		base := tab.base
		tab.mu.Unlock()
		if u := event.Request.URL; !strings.HasPrefix(u, base) && !strings.HasPrefix(u, "data:") {
			tab.complain("asked for " + u)
		}
	}
}

func (tab *Tab) complain(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.complaints = append(tab.complaints, text)
}

// parameters are those of a command of the DevTools protocol.
type parameters map[string]any

// do carries out a command and fails the test if it does not work.
func (tab *Tab) do(method string, p parameters) json.RawMessage {
	tab.t.Helper()
	result, err := tab.browser.call(method, p)
	if err != nil {
		tab.t.Fatalf("%s: %v", method, err)
	}
	return result
}

// load carries out a command that loads the page, and waits until that is done.
func (tab *Tab) load(method string, p parameters) {
	tab.t.Helper()
	var answer struct{ ErrorText string }
	if err := json.Unmarshal(tab.do(method, p), &answer); err != nil || answer.ErrorText != "" {
		tab.t.Fatalf("%s: %s %v", method, answer.ErrorText, err)
	}
	select {
	case <-tab.loaded:
	case <-time.After(patience):
		tab.t.Fatal("the page was not loaded in " + patience.String())
	}
}

// Look changes the size and the colour scheme in which the page is shown.
func (tab *Tab) Look(width, height int64, scheme string) {
	tab.t.Helper()
	tab.do("Emulation.setEmulatedMedia", parameters{"features": []any{parameters{"name": "prefers-color-scheme", "value": scheme}}})
	tab.do("Emulation.setDeviceMetricsOverride", parameters{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false})
}

// SetZone opens the page anew for somebody in a zone, by its name in the time zone database.
func (tab *Tab) SetZone(name string) {
	tab.t.Helper()
	tab.do("Emulation.setTimezoneOverride", parameters{"timezoneId": name})
	tab.load("Page.reload", nil)
}

// Eval evaluates an expression in the page.
func Eval[T any](tab *Tab, expression string) (value T) {
	tab.t.Helper()
	var answer struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	result := tab.do("Runtime.evaluate", parameters{"expression": expression, "returnByValue": true, "awaitPromise": true})
	if err := json.Unmarshal(result, &answer); err != nil {
		tab.t.Fatal(err)
	}
	if e := answer.ExceptionDetails; e != nil {
		tab.t.Fatalf("%s: %s %s", expression, e.Text, e.Exception.Description)
	}
	if answer.Result.Value != nil { // undefined has none
		if err := json.Unmarshal(answer.Result.Value, &value); err != nil {
			tab.t.Fatalf("%s: %v", expression, err)
		}
	}
	return value
}

// Await waits until an expression is true in the page.
func (tab *Tab) Await(expression string) {
	tab.t.Helper()
	for deadline := time.Now().Add(2 * patience); !Eval[bool](tab, "!!("+expression+")"); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			tab.t.Fatalf("not so after %s: %s", 2*patience, expression)
		}
	}
}

// Point moves the pointer to a place in the window, in CSS pixels.
func (tab *Tab) Point(x, y float64) {
	tab.t.Helper()
	tab.do("Input.dispatchMouseEvent", parameters{"type": "mouseMoved", "x": x, "y": y})
}

// keyCodes are the codes of the keys that Press knows.
var keyCodes = map[string]int{"Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}

// Press presses keys one after the other, by their names in the DOM, at what is focused.
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		code, ok := keyCodes[key]
		if !ok {
			tab.t.Fatalf("no code is known of the key %q", key)
		}
		for _, kind := range []string{"rawKeyDown", "keyUp"} {
			tab.do("Input.dispatchKeyEvent", parameters{"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code})
		}
	}
}

// Focus focuses the first element that a selector selects.
func (tab *Tab) Focus(selector string) {
	tab.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		tab.t.Fatal(err)
	}
	if !Eval[bool](tab, fmt.Sprintf(`(e => { e.focus(); return document.activeElement === e })(document.querySelector(%s))`, quoted)) {
		tab.t.Fatalf("%s cannot be focused", selector)
	}
}

// Shot keeps a screenshot of the whole page under a name, where the environment asks for it.
func (tab *Tab) Shot(name string) {
	tab.t.Helper()
	dir := os.Getenv(shotsVariable)
	if dir == "" {
		return
	}
	var answer struct{ Data []byte }
	if err := json.Unmarshal(tab.do("Page.captureScreenshot", parameters{"captureBeyondViewport": true}), &answer); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), answer.Data, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
