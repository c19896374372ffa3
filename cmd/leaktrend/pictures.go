package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/replay"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/report"
)

// pictureFlags are the options of replay that draw.
type pictureFlags struct {
	html, plot string
	force      bool

	page  *report.Report
	plots *report.Pictures
}

func (p *pictureFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&p.html, "html", "", "write a report with plots to this file: one page that needs no network")
	fs.StringVar(&p.plot, "plot", "", "write each plot to a file in this directory as SVG, named by recording and resource")
	fs.BoolVar(&p.force, "force", false, "replace files that are not empty")
}

// prepare checks where to write before anything is read, and has the results drawn.
func (p *pictureFlags) prepare(o *replay.Options, files []string) error {
	if err := writable(p.html, p.force); err != nil {
		return err
	}
	if p.plot != "" {
		var err error
		if p.plots, err = report.NewPictures(p.plot, p.force, time.Local, files); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if p.html != "" {
		p.page = &report.Report{Zone: time.Local, Describe: describe}
	}
	if p.page == nil && p.plots == nil {
		return nil
	}
	o.Done = func(r *replay.Result) {
		if p.page != nil {
			p.page.Add(r)
		}
		if p.plots != nil {
			p.plots.Add(r)
		}
	}
	return nil
}

// finish writes what was drawn.
func (p *pictureFlags) finish(results []*replay.Result) (err error) {
	if p.plots != nil {
		err = p.plots.Fault()
	}
	if p.page != nil && len(results) > 0 {
		err = errors.Join(err, writeFile(p.html, 0o644, func(w io.Writer) error { return p.page.WriteHTML(w, summarize(results)) }))
	}
	return err
}
