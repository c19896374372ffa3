// Package browsertest opens pages in a headless Chromium, for tests of what a person sees. Only tests use it; those
// of a page's text need no browser.
package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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
	tab.do("Emulation.setFocusEmulationEnabled", parameters{"enabled": true})
	tab.Emulate(width, height, scheme)
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

// Emulate changes the size and the colour scheme in which the page is shown.
func (tab *Tab) Emulate(width, height int64, scheme string) {
	tab.t.Helper()
	tab.do("Emulation.setEmulatedMedia",
		parameters{"features": []any{parameters{"name": "prefers-color-scheme", "value": scheme}}})
	tab.do("Emulation.setDeviceMetricsOverride", parameters{"width": width, "height": height, "deviceScaleFactor": 1,
		"mobile": false})
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
	result := tab.do("Runtime.evaluate", parameters{"expression": expression, "returnByValue": true,
		"awaitPromise": true})
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
	for deadline := time.Now().Add(2 * patience); !Eval[bool](tab,
		"!!("+expression+")"); time.Sleep(200 * time.Millisecond) {
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

// Spread puts two fingers on places of one height in the window, moves them to others, and lifts them.
func (tab *Tab) Spread(y, leftFrom, rightFrom, leftTo, rightTo float64) {
	tab.t.Helper()
	fingers := func(kind string, at ...float64) {
		points := []parameters{}
		for id, x := range at {
			points = append(points, parameters{"x": x, "y": y, "id": id})
		}
		tab.do("Input.dispatchTouchEvent", parameters{"type": kind, "touchPoints": points})
	}
	fingers("touchStart", leftFrom)
	fingers("touchStart", leftFrom, rightFrom)
	fingers("touchMove", (leftFrom+leftTo)/2, (rightFrom+rightTo)/2)
	fingers("touchMove", leftTo, rightTo)
	fingers("touchEnd")
}

// Drag presses the button of the mouse at a place in the window, moves it to another, and lets go.
func (tab *Tab) Drag(fromX, fromY, toX, toY float64) {
	tab.t.Helper()
	mouse := func(kind string, x, y float64, buttons int) {
		tab.do("Input.dispatchMouseEvent", parameters{"type": kind, "x": x, "y": y, "button": "left",
			"buttons": buttons, "clickCount": 1})
	}
	mouse("mousePressed", fromX, fromY, 1)
	mouse("mouseMoved", (fromX+toX)/2, (fromY+toY)/2, 1)
	mouse("mouseMoved", toX, toY, 1)
	mouse("mouseReleased", toX, toY, 0)
}

// Stops returns how many elements the tab key stops at, from the top of the page to its end.
func (tab *Tab) Stops() int {
	tab.t.Helper()
	const maxStops = 2000
	Eval[bool](tab, `(() => { document.activeElement.blur(); window.visited = new Set(); `+
		`getSelection().removeAllRanges(); return true })()`)
	for n := range maxStops {
		tab.Press("Tab")
		if !Eval[bool](tab, `(e => { const more = e !== document.body && !visited.has(e); visited.add(e); return `+
			`more })(document.activeElement)`) {
			return n
		}
	}
	tab.t.Fatalf("the tab key has stopped %d times, and there is no end", maxStops)
	return 0
}

// Pages returns how many sheets of A4 the page is printed on.
func (tab *Tab) Pages() int {
	tab.t.Helper()
	var answer struct{ Data []byte }
	printed := tab.do("Page.printToPDF", parameters{"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": true,
		"printBackground": true})
	if err := json.Unmarshal(printed, &answer); err != nil {
		tab.t.Fatal(err)
	}
	return len(pdfPage.FindAll(answer.Data, -1))
}

// pdfPage stands in a file of PDF once for each page.
var pdfPage = regexp.MustCompile(`/Type\s*/Page\b`)

// keyCodes are the codes of the keys that Press knows.
var keyCodes = map[string]int{
	"Tab": 9, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}

// characters are the keys that Press knows by what they write.
const characters = "+-0"

// Press presses keys one after the other, by their names in the DOM, at what is focused.
func (tab *Tab) Press(keys ...string) {
	tab.t.Helper()
	for _, key := range keys {
		code, ok := keyCodes[key]
		if !ok && len(key) == 1 && strings.Contains(characters, key) {
			tab.do("Input.dispatchKeyEvent", parameters{"type": "keyDown", "key": key, "text": key})
			tab.do("Input.dispatchKeyEvent", parameters{"type": "keyUp", "key": key})
			continue
		}
		if !ok {
			tab.t.Fatalf("no code is known of the key %q", key)
		}
		for _, kind := range []string{"rawKeyDown", "keyUp"} {
			tab.do("Input.dispatchKeyEvent", parameters{"type": kind, "key": key, "code": key,
				"windowsVirtualKeyCode": code})
		}
	}
}

// DisableScripts has pages that are opened from now on run no script of their own. Eval goes on to work.
func (tab *Tab) DisableScripts() {
	tab.t.Helper()
	tab.do("Emulation.setScriptExecutionDisabled", parameters{"value": true})
}

// Media shows the page as on a screen or in print.
func (tab *Tab) Media(name string) {
	tab.t.Helper()
	tab.do("Emulation.setEmulatedMedia", parameters{"media": name})
}

// Focus focuses the first element that a selector selects.
func (tab *Tab) Focus(selector string) {
	tab.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		tab.t.Fatal(err)
	}
	if !Eval[bool](tab,
		fmt.Sprintf(`(e => { e.focus(); return document.activeElement === e })(document.querySelector(%s))`, quoted)) {
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
	if err := json.Unmarshal(tab.do("Page.captureScreenshot", parameters{"captureBeyondViewport": true}),
		&answer); err != nil {
		tab.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), answer.Data, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}
