package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/webpage"
	"github.com/mdzesseis/leaktrend/detector/plot"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// document is what the template of the page shows.
type document struct {
	webpage.Frame
	Dir         string
	Several     bool
	Worst       *entry
	Words       []wordCount // verdicts, the worst first
	Entries     []*entry
	Listed      []*entry // in the table
	Folded      []*entry // in the table that opens on demand
	FoldedWords string
	Key         []keyEntry // of all plots
	Sections    []*section
	Quiet       []*section // recordings without a finding, folded away
	Hidden      int
	NoPlot      int
	Now         time.Time
}

type wordCount struct {
	Word  string
	Count int
}

type keyEntry struct {
	Swatch template.HTML
	Text   string
}

// section is one recording in the page.
type section struct {
	ID           string
	Short, About string
	From, To     time.Time
	Findings     []*entry
	Others       []*entry
}

// OtherNames lists what is without a finding, by name.
func (s *section) OtherNames() string {
	var names []string
	for _, e := range s.Others {
		names = append(names, e.Resource)
	}
	const maxNames = 6
	if more := len(names) - maxNames; more > 1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNames], ", "), more)
	}
	return strings.Join(names, ", ")
}

// WriteHTML writes the page. The summary is one sentence on all recordings.
func (r *Report) WriteHTML(w io.Writer, summary string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := document{Frame: webpage.NewFrame("leaktrend report", summary), Entries: r.entries, Hidden: r.hidden}
	d.Style += template.CSS(pageStyle)
	d.Script += template.JS(pageScript)
	files := make(map[string]bool)
	for _, e := range r.entries {
		files[e.File] = true
	}
	dir := sharedDir(slices.Collect(maps.Keys(files)))
	if d.Several = len(files) > 1; d.Several {
		d.Dir = strings.TrimRight(dir, `/\`)
	}
	for _, e := range r.entries {
		e.Short, e.Several = strings.TrimPrefix(e.File, dir), d.Several
	}
	d.Words = wordsOf(r.entries)
	d.list(r.entries)
	d.divide(r.entries)
	if d.Key = keyOf(r.entries); len(d.Key) > 0 {
		d.Skip = "plots"
	}
	if len(r.entries) > 0 {
		d.Now = r.entries[0].To
		if worst := r.entries[0]; worst.rank == leaks {
			d.Worst = worst
		}
	}
	return webpage.Template(pageText, r.Zone).Execute(w, d)
}

// wordsOf counts the verdicts of entries, in their order.
func wordsOf(entries []*entry) (words []wordCount) {
	for _, e := range entries {
		i := slices.IndexFunc(words, func(w wordCount) bool { return w.Word == e.Word })
		if i < 0 {
			i = len(words)
			words = append(words, wordCount{Word: e.Word})
		}
		words[i].Count++
	}
	return words
}

// list divides the table: what is no finding folds away, unless there is nothing else, or one recording alone.
func (d *document) list(entries []*entry) {
	healthy := slices.IndexFunc(entries, func(e *entry) bool { return !e.Finding() })
	if healthy <= 0 || !d.Several {
		d.Listed = entries
		return
	}
	d.Listed, d.Folded = entries[:healthy], entries[healthy:]
	var parts []string
	for _, w := range wordsOf(d.Folded) {
		parts = append(parts, fmt.Sprintf("%d %s", w.Count, w.Word))
	}
	d.FoldedWords = strings.Join(parts, ", ")
}

// divide puts the plots into a section for each recording, those with the worst first.
func (d *document) divide(entries []*entry) {
	var sections []*section
	byFile := make(map[string]*section)
	for _, e := range entries {
		if e.Plot == "" {
			d.NoPlot++
			continue
		}
		s := byFile[e.File]
		if s == nil {
			s = &section{ID: idOf(e.File, ""), Short: e.Short, About: e.About, From: e.From, To: e.To}
			byFile[e.File] = s
			sections = append(sections, s)
		}
		if e.Finding() {
			s.Findings = append(s.Findings, e)
		} else {
			s.Others = append(s.Others, e)
		}
	}
	for _, s := range sections {
		if len(s.Findings) > 0 || len(sections) == 1 {
			d.Sections = append(d.Sections, s)
		} else {
			d.Quiet = append(d.Quiet, s)
		}
	}
}

// keyOf explains what is drawn in any plot, in the order of weight.
func keyOf(entries []*entry) (key []keyEntry) {
	var all []plot.KeyEntry
	for _, e := range entries {
		if e.Plot == "" {
			continue
		}
		for _, k := range e.Key {
			if !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b plot.KeyEntry) int { return int(a.Ink) - int(b.Ink) })
	for _, k := range all {
		key = append(key, keyEntry{template.HTML(k.Swatch()), k.Text})
	}
	return key
}

// sharedDir returns the directory that all files are below, with the separator at its end; "" where there is none.
func sharedDir(files []string) string {
	shared := ""
	for i, file := range files {
		dir := file[:len(file)-len(filepath.Base(file))]
		if i == 0 {
			shared = dir
		}
		for !strings.HasPrefix(dir, shared) {
			shared = strings.TrimRight(shared, `/\`)
			shared = shared[:strings.LastIndexAny(shared, `/\`)+1]
		}
	}
	return shared
}
