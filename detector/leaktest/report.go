package leaktest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/profile"
)

const (
	maxFindings = 10 // lines that are named
	maxFrames   = 8  // functions of a stack
	// maxDumped is up to how many goroutines it is asked who started them.
	maxDumped = 5000
)

// leak is one line of code that leaks.
type leak struct {
	at    profile.Frame
	text  string
	stack []string
}

// report is what a check has found.
type report struct {
	caller   profile.Frame // line of the test that asked
	headline string
	findings []leak
	notes    []string
}

// report returns what leaks; nil where nothing does.
func (c *check) report() *report {
	r := &report{caller: caller()}
	rounds := 0
	var stocks []string
	for _, n := range c.stretches {
		rounds += n
		stocks = append(stocks, fmt.Sprint(n))
	}
	r.headline = fmt.Sprintf("leak: what a round leaves behind adds up (it grew in each stretch of %s rounds)",
		strings.Join(stocks, ", "))

	goroutines := c.leakingGoroutines()
	memory := c.growing(memory)
	var creators map[profile.Frame]string
	if len(goroutines) > 0 && c.stock.goroutines <= maxDumped {
		creators = c.creators()
	}
	for _, l := range goroutines {
		r.findings = append(r.findings, c.goroutines(l, rounds, memory, creators[l.site.Frame]))
	}
	var opened []*line
	if c.loses() {
		for _, application := range []bool{true, false} {
			for _, l := range memory {
				if l.site.Descriptor && l.site.Application == application && (application || len(opened) == 0) {
					opened = append(opened, l)
				}
			}
		}
		r.findings = append(r.findings, c.descriptors(r.caller, opened, rounds)...)
	}
	held, bytes := 0, 0.
	for _, l := range memory {
		switch {
		case len(goroutines) > 0 || len(opened) > 0:
			held++
			bytes += l.values.growth()
		default:
			r.findings = append(r.findings, c.memory(l, rounds))
		}
	}
	if held > 0 {
		r.notes = append(r.notes, fmt.Sprintf("%s more memory is in use, of %s: it may be held by these; check again "+
			"once they are gone",
			bytesText(bytes), plural(held, "line", "lines")))
	}
	if len(r.findings) == 0 {
		return nil
	}
	if more := len(r.findings) - maxFindings; more > 0 {
		r.findings = r.findings[:maxFindings]
		r.notes = append(r.notes, fmt.Sprintf("and %s more", plural(more, "line", "lines")))
	}
	return r
}

// growing returns the lines of a kind that leak, those that grew most first.
func (c *check) growing(k kind) (all []*line) {
	for _, l := range c.stock.lines {
		if l.kind == k && c.grows(l) {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(a, b *line) int {
		return cmp.Or(cmp.Compare(b.values.growth(), a.values.growth()), cmp.Compare(a.site.File, b.site.File),
			a.site.Line-b.site.Line)
	})
	return all
}

// leakingGoroutines returns the lines at which goroutines leak. Where no line of those that began with one function
// grows in every stretch, and all of them together do, that is one.
func (c *check) leakingGoroutines() (all []*line) {
	lines := append(c.growing(proven), c.growing(ownProof)...)
	lines = append(append(lines, c.growing(waiting)...), c.growing(own)...)
	named := func(l *line) bool {
		return slices.ContainsFunc(all, func(other *line) bool {
			return other.site.Frame == l.site.Frame || l.entry != "" && other.site.Entry == l.entry
		})
	}
	for _, whole := range []bool{false, true} {
		for _, l := range lines {
			if (l.entry != "") == whole && !named(l) {
				all = append(all, l)
			}
		}
	}
	return all
}

func (c *check) goroutines(l *line, rounds int, memory []*line, creator string) leak {
	n := l.values.growth()
	f := leak{at: l.site.Frame, stack: printed(c.stock.stackOf(l))}
	f.text = fmt.Sprintf("%s, %s here", c.perRound(n, rounds, "goroutine leaks", "goroutines leak"),
		plural(int(n), "more waits", "more wait"))
	if l.entry != "" {
		f.text += fmt.Sprintf(" and at other lines, in %s", l.entry)
	}
	if l.site.WaitReason != "" {
		f.text += " (" + l.site.WaitReason + ")"
	}
	if l.kind == proven || l.kind == ownProof || c.provenAt(l) {
		f.text += ", and nothing can wake them: proven by the runtime"
	}
	if creator != "" {
		f.stack = append(f.stack, "started by "+creator)
	}
	if l.site.Application {
		return f
	}
	// Those of a library wait on behalf of the line that calls it, which shows in the memory.
	library := profile.PackageOf(l.site.Function)
	for _, m := range memory {
		if m.site.Application && profile.PackageOf(m.site.Callee) == library {
			f.text += fmt.Sprintf(" in %s, called from here through %s", short(l.site.Function), short(m.site.Callee))
			f.at = m.site.Frame
			break
		}
	}
	return f
}

func (c *check) memory(l *line, rounds int) leak {
	f := leak{at: l.site.Frame, stack: printed(c.stock.stackOf(l))}
	f.text = fmt.Sprintf("%s a round stays in use, %s more from here", bytesText(l.values.growth()/float64(rounds)),
		bytesText(l.values.growth()))
	if n := l.objects.growth(); n >= 1 {
		f.text += " in " + plural(int(n+.5), "object", "objects")
	} else {
		f.text += " in what grows"
	}
	return f
}

func (c *check) descriptors(caller profile.Frame, opened []*line, rounds int) (all []leak) {
	n := c.stock.descriptors.growth()
	text := fmt.Sprintf("%s, %s open", c.perRound(n, rounds, "descriptor leaks", "descriptors leak"),
		plural(int(n), "more is", "more are"))
	if c.stock.now != nil && c.stock.before != nil {
		if parts := c.stock.now.Parts(c.stock.before); len(parts) > 0 && parts[0].Growth > 0 {
			text += " (" + strings.TrimSpace(parts[0].What+" "+parts[0].Detail) + ")"
		}
	}
	if len(opened) == 0 {
		return []leak{{at: caller, text: text + "; by which line is not known"}}
	}
	for i, l := range opened {
		if i > 0 {
			text = fmt.Sprintf("%s more in use by what is opened here", bytesText(l.values.growth()))
		}
		all = append(all, leak{at: l.site.Frame, text: text, stack: printed(c.stock.stackOf(l))})
	}
	return all
}

// names reports whether a line is among what was found.
func (r *report) names(at profile.Frame) bool {
	return slices.ContainsFunc(r.findings, func(f leak) bool { return f.at == at })
}

// printed returns the lines in which a stack is printed, innermost function first.
func printed(stack []profile.Frame) (all []string) {
	for _, f := range stack {
		path := profile.PackageOf(f.Function)
		if path == "runtime" || strings.HasPrefix(path, "internal/runtime") || path == ourPackage || path == "testing" {
			continue
		}
		if len(all) == maxFrames {
			return append(all, "...")
		}
		all = append(all, fmt.Sprintf("%s (%s:%d)", f.Function, shown(f.File), f.Line))
	}
	return all
}

// creators returns where the goroutines of each line were started, those of most of them.
func (c *check) creators() map[profile.Frame]string {
	text, err := c.stock.profiles.Dump(context.Background())
	if err != nil {
		return nil
	}
	counts := make(map[profile.Frame]map[profile.Frame]int)
	for _, d := range profile.ParseDump(text) {
		if d.CreatedBy.Function == "" {
			continue
		}
		if counts[d.Site.Frame] == nil {
			counts[d.Site.Frame] = make(map[profile.Frame]int)
		}
		counts[d.Site.Frame][d.CreatedBy]++
	}
	main := make(map[profile.Frame]string)
	for at, by := range counts {
		top := profile.Frame{}
		for creator, n := range by {
			if n > by[top] || n == by[top] && creator.Line < top.Line {
				top = creator
			}
		}
		main[at] = fmt.Sprintf("%s (%s:%d)", top.Function, shown(top.File), top.Line)
	}
	return main
}

// text returns the report as a test prints it: each line of code as FILE:LINE: and what is there.
func (r *report) text() string {
	var b strings.Builder
	b.WriteString(r.headline)
	for _, f := range r.findings {
		fmt.Fprintf(&b, "\n%s:%d: %s", shown(f.at.File), f.at.Line, f.text)
		for _, line := range f.stack {
			b.WriteString("\n\t" + line)
		}
	}
	for _, note := range r.notes {
		b.WriteString("\n" + note)
	}
	return b.String()
}

// shown returns how a file is named: as go test does where it is of the package under test, else by its path.
func shown(file string) string {
	if here, err := os.Getwd(); err == nil && filepath.Dir(file) == here {
		return filepath.Base(file)
	}
	return file
}

// caller returns the line that called this package.
func caller() profile.Frame {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if profile.PackageOf(f.Function) != ourPackage || !more {
			return profile.Frame{Function: f.Function, File: f.File, Line: f.Line}
		}
	}
}

// annotate tells GitHub of what was found, where a test runs there.
func annotate(r *report) {
	if os.Getenv("GITHUB_ACTIONS") == "true" {
		r.annotations(os.Stdout, os.Getenv("GITHUB_WORKSPACE"))
	}
}

// annotations writes what was found as GitHub's annotations: at the line that leaks if it is in the repository, else at
// the line of the test.
func (r *report) annotations(w io.Writer, repository string) {
	for _, f := range r.findings {
		at, text := f.at, f.text
		path, err := filepath.Rel(repository, at.File)
		if err != nil || !filepath.IsLocal(path) {
			text = fmt.Sprintf("%s:%d: %s", at.File, at.Line, text)
			at = r.caller
			if path, err = filepath.Rel(repository, at.File); err != nil || !filepath.IsLocal(path) {
				path = at.File
			}
		}
		fmt.Fprintf(w, "::error file=%s,line=%d,title=leak::%s\n", property.Replace(filepath.ToSlash(path)), at.Line,
			message.Replace(text))
	}
}

// What GitHub has escaped in an annotation.
var (
	message  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// perRound says how many there are more after a round.
func (c *check) perRound(growth float64, rounds int, one, many string) string {
	unit := "round"
	if c.stock.goroutinesOnly {
		unit = "run"
	}
	n := growth / float64(rounds)
	switch {
	case n == 1:
		return "1 " + one + " a " + unit
	case n == math.Trunc(n) || n >= 10:
		return fmt.Sprintf("%.0f %s a %s", n, many, unit)
	}
	return fmt.Sprintf("%.2g %s a %s", n, many, unit)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func bytesText(n float64) string {
	r, _ := sampler.Lookup(sampler.HeapLiveBytes)
	return r.Format(n)
}

// short drops the path before a function's package.
func short(function string) string {
	path := profile.PackageOf(function)
	return function[strings.LastIndexByte(path, '/')+1:]
}
