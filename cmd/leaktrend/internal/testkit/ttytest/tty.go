// Package ttytest is a terminal for tests: a pseudo-terminal with a screen that understands what leaktrend writes.
// Only tests use it.
package ttytest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// Terminal is a pseudo-terminal of type xterm and its screen.
type Terminal struct {
	File *os.File // what the program under test writes to

	t    testing.TB
	mu   sync.Mutex
	seen *sync.Cond
	raw  []byte
	over bool // nothing more can be read

	marks int
	sizes []size
}

// size is in force from an offset in what was written on.
type size struct{ from, width, height int }

// New opens a terminal until the end of the test, and skips the test where there are none.
func New(t testing.TB, width, height int) *Terminal {
	t.Helper()
	control, file := open(t)
	t.Cleanup(func() { control.Close() })
	t.Cleanup(func() { file.Close() })
	tty := &Terminal{File: file, t: t}
	tty.seen = sync.NewCond(&tty.mu)
	go tty.read(control)
	tty.Resize(width, height)
	return tty
}

// Resize changes the size. The screen wraps its lines anew, as most do.
func (tty *Terminal) Resize(width, height int) {
	tty.t.Helper()
	if err := resize(tty.File, width, height); err != nil {
		tty.t.Fatal(err)
	}
	tty.sizes = append(tty.sizes, size{len(tty.Raw()), width, height})
}

func (tty *Terminal) read(control *os.File) {
	buf := make([]byte, 4096)
	for {
		n, err := control.Read(buf)
		tty.mu.Lock()
		tty.raw = append(tty.raw, buf[:n]...)
		tty.over = err != nil
		tty.seen.Broadcast()
		tty.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Raw returns all that was written up to now, with the line ends of a terminal.
func (tty *Terminal) Raw() string {
	tty.t.Helper()
	tty.marks++
	mark := fmt.Sprintf("\x1b]mark %d\a", tty.marks)
	if _, err := tty.File.WriteString(mark); err != nil {
		tty.t.Fatal(err)
	}
	tty.mu.Lock()
	defer tty.mu.Unlock()
	for !tty.over && !strings.Contains(string(tty.raw), mark) {
		tty.seen.Wait()
	}
	text := string(tty.raw)
	for i := 1; i <= tty.marks; i++ {
		text = strings.Replace(text, fmt.Sprintf("\x1b]mark %d\a", i), "", 1)
	}
	return text
}

// Lines returns what can be seen on the screen and, by scrolling, above it: without colours, blanks at the end of a
// line, and empty lines at the end. Anything on which terminals differ fails the test.
func (tty *Terminal) Lines() []string {
	tty.t.Helper()
	raw := tty.Raw()
	s := screen{lines: []*line{{}}}
	sizes := tty.sizes
	for at := 0; at < len(raw) || len(sizes) > 0; {
		if len(sizes) > 0 && at >= sizes[0].from {
			if err := s.resize(sizes[0].width, sizes[0].height); err != nil {
				tty.t.Fatal(err)
			}
			sizes = sizes[1:]
			continue
		}
		n, err := s.interpret(raw[at:])
		if err != nil {
			tty.t.Fatal(err)
		}
		at += n
	}
	var all []string
	for _, l := range s.lines {
		all = append(all, strings.TrimRight(string(l.text), " "))
	}
	for len(all) > 0 && all[len(all)-1] == "" {
		all = all[:len(all)-1]
	}
	return all
}

type screen struct {
	width, height int
	lines         []*line // from the first that scrolled out
	row, column   int     // of the cursor
}

// line is one row. One that is continued was too long, and goes on in the next row.
type line struct {
	text      []rune
	continued bool
}

func (s *screen) resize(width, height int) error {
	if s.row != len(s.lines)-1 || s.column != 0 || len(s.lines[s.row].text) > 0 {
		return errors.New("resized while the cursor was not below the text: terminals differ in where that leaves it")
	}
	s.width, s.height = width, height
	var lines []*line
	for i := 0; i < len(s.lines); i++ {
		text := s.lines[i].text
		for s.lines[i].continued {
			i++
			text = append(text, s.lines[i].text...)
		}
		for len(text) > width {
			lines = append(lines, &line{text[:width:width], true})
			text = text[width:]
		}
		lines = append(lines, &line{text: text})
	}
	s.lines, s.row = lines, len(lines)-1
	return nil
}

// interpret obeys the first character or escape sequence of text, and returns its length.
func (s *screen) interpret(text string) (int, error) {
	switch {
	case text[0] == '\r':
		s.column = 0
		return 1, nil
	case text[0] == '\n':
		s.down()
		return 1, nil
	case text[0] == '\x1b':
		return s.escape(text)
	}
	r, size := utf8.DecodeRuneInString(text)
	if r < ' ' || r == '\x7f' || r == utf8.RuneError && size == 1 {
		return 0, fmt.Errorf("%q on the terminal", text[:size])
	}
	if s.column == s.width {
		s.lines[s.row].continued = true
		s.column = 0
		s.down()
	}
	l := s.lines[s.row]
	for len(l.text) <= s.column {
		l.text = append(l.text, ' ')
	}
	l.text[s.column] = r
	s.column++
	return size, nil
}

func (s *screen) down() {
	s.row++
	if s.row == len(s.lines) {
		s.lines = append(s.lines, &line{})
	}
}

func (s *screen) escape(text string) (int, error) {
	end := strings.IndexFunc(text[1:], func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
	if end < 0 || text[1] != '[' {
		return 0, fmt.Errorf("unknown escape sequence %.10q", text)
	}
	end++
	switch text[end] {
	case 'm':
	case 'A':
		n, err := strconv.Atoi(text[2:end])
		if err != nil {
			return 0, fmt.Errorf("bad escape sequence %q", text[:end+1])
		}
		top := max(len(s.lines)-s.height, 0)
		if s.row-n < top {
			return 0, fmt.Errorf("up %d rows from row %d of the screen", n, s.row-top)
		}
		s.row -= n
	case 'J', 'K':
		if end > 2 {
			return 0, fmt.Errorf("unknown escape sequence %q", text[:end+1])
		}
		if text[end] == 'J' {
			s.lines = s.lines[:s.row+1]
		}
		s.clear()
	default:
		return 0, fmt.Errorf("unknown escape sequence %q", text[:end+1])
	}
	return end + 1, nil
}

// clear empties the row from the cursor on.
func (s *screen) clear() {
	l := s.lines[s.row]
	l.text, l.continued = l.text[:min(s.column, len(l.text))], false
}
