// Package publish shows what scans of a fleet find: as a table, as JSON lines or as a page, and as alerts in an
// Alertmanager, once or again and again. What is found is decided in fleet.
package publish

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/outbox"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/terminal"
)

// Publisher publishes the reports of scans.
type Publisher struct {
	Server         string // how the output names it
	JSON           bool   // a finding a line instead of a table
	All            bool   // all suspects, also as JSON
	Page           string // file of the page; "" = none
	Links          Links
	Alerts         *Alerts // nil = none
	Stdout, Stderr io.Writer

	standing standing
}

// Once publishes one report. undelivered says why an alert was not delivered, after a few attempts.
func (p *Publisher) Once(ctx context.Context, r *fleet.Report) (undelivered, err error) {
	if err := p.print(r); err != nil {
		return nil, err
	}
	p.reportMissing(r)
	if p.Alerts != nil {
		p.Alerts.update(r, &p.Links)
		undelivered = p.Alerts.deliver(ctx)
	}
	return undelivered, p.writePage(r)
}

// Every scans and publishes again and again until ctx ends, or nothing can be printed any more. What fails is reported,
// and tried again by the next scan. It goes on, with its alerts, when nobody reads what it prints.
func (p *Publisher) Every(ctx context.Context, interval time.Duration, scan Scan) error {
	defer p.unhurried()()
	note := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(p.Stderr, "%s: %v\n", what, err)
		}
	}
	use := func(r *fleet.Report, err error) error {
		if err != nil {
			note(p.Server, err)
			return nil
		}
		r.Keep(func(key string) bool { _, stood := p.standing[key]; return stood })
		if err := p.print(r); err != nil {
			return err
		}
		p.reportMissing(r)
		note("page", p.writePage(r))
		if p.Alerts != nil {
			p.Alerts.update(r, &p.Links)
			note("alerts", p.Alerts.send(ctx))
		}
		return nil
	}
	return repeat(ctx, interval, scan, use, func() {
		if p.Alerts != nil {
			note("alerts", p.Alerts.refresh(ctx))
		}
	})
}

// unhurried has nothing wait for a reader of the output. The function that it returns ends that, and waits for those
// who do read.
func (p *Publisher) unhurried() (end func()) {
	stdout, stderr := p.Stdout, p.Stderr
	notes := outbox.New(stderr)
	results := outbox.NewNoting(stdout, func(lines int) string {
		fmt.Fprintf(notes, "missing from the results, as nobody read them: %s\n", plain.Count(lines, "part"))
		return "" // JSON is for programs
	})
	p.Stderr = notes
	if !terminal.Redraws(stdout) { // whose style goes by what it is
		p.Stdout = results
	}
	return func() {
		results.Flush()
		notes.Flush()
		p.Stdout, p.Stderr = stdout, stderr
	}
}

// print writes a report to standard output. JSON also says which of the findings before are resolved.
func (p *Publisher) print(r *fleet.Report) error {
	if p.standing == nil {
		p.standing = make(standing)
	}
	ended := p.standing.update(r)
	if !p.JSON {
		return writeText(p.Stdout, p.Server, r, p.All)
	}
	return p.writeLines(r, ended)
}

func (p *Publisher) writePage(r *fleet.Report) error {
	if p.Page == "" {
		return nil
	}
	return output.WriteFile(p.Page, 0o644, func(w io.Writer) error {
		return writePage(w, p.Server, r, p.All, &p.Links)
	})
}

// reportMissing tells what could not be read, and which flags would tell more.
func (p *Publisher) reportMissing(r *fleet.Report) {
	const limit = 20
	for i, m := range r.Missing {
		if i == limit {
			fmt.Fprintf(p.Stderr, "missing: %d more\n", len(r.Missing)-limit)
			break
		}
		count := ""
		if m.Count > 0 {
			count = " (" + plain.Count(m.Count, "target") + ")"
		}
		fmt.Fprintf(p.Stderr, "missing: %s%s: %s\n", terminal.Printable(m.What), count, terminal.Printable(m.Why))
	}
	for _, hint := range r.Hints {
		fmt.Fprintf(p.Stderr, "hint: %s\n", terminal.Printable(hint))
	}
}
