// Command calibrate measures the scores of generated healthy and leaking series and writes the table that gives a scan its e-values.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/generate"
)

func main() {
	out := flag.String("o", "calibration.csv", "file to write")
	series := flag.Int("n", 6000, "series of a week for each healthy family and half of the parameters; fewer of two weeks, to check, and of leaking families")
	seed := flag.Uint64("seed", 1, "of the series that calibrate; the next seed makes those that check")
	flag.Parse()
	if err := run(*out, *series, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

func run(out string, series int, seed uint64) error {
	if series < 10 {
		return errors.New("-n: want 10 or more")
	}
	began := time.Now()
	measure := func(what string, seed uint64, ranges generate.Split, week, fortnight int, leaking bool) (fleet.Sample, error) {
		o := fleet.MeasureOptions{Seed: seed, Ranges: ranges, PerFamily: week, Span: 165 * time.Hour, Leaking: leaking}
		sample, err := fleet.Measure(context.Background(), o, 0)
		if err != nil {
			return nil, err
		}
		o.PerFamily, o.Span = fortnight, 333*time.Hour
		long, err := fleet.Measure(context.Background(), o, o.Span/2)
		if err != nil {
			return nil, err
		}
		for i := range sample {
			if sample[i].Length > 165*time.Hour {
				sample[i] = long[i]
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", time.Since(began).Round(time.Second), what)
		return sample, nil
	}
	var halves [2][3]fleet.Sample
	for i, ranges := range []generate.Split{generate.Tune, generate.Report} {
		var errs [3]error
		halves[i][0], errs[0] = measure("healthy", seed, ranges, series, series/5, false)
		halves[i][1], errs[1] = measure("healthy, to check", seed+1, ranges, series/4, series/10, false)
		halves[i][2], errs[2] = measure("leaking, to check", seed+1, ranges, series/10, series/10, true)
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
	}
	c := &fleet.Calibration{
		Healthy: halves[0][0].Worse(halves[1][0]), CheckHealthy: halves[0][1].And(halves[1][1]), CheckLeaking: halves[0][2].And(halves[1][2]),
	}
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	err = c.Write(file,
		"How many generated series have a finding of at least a t statistic at the end of a history. Made by",
		fmt.Sprintf("go run ./cmd/leaktrend/internal/fleet/calibrate -n %d -seed %d; healthy gives the e-values and is the worse of", series, seed),
		"the two halves of the generator's parameters; check-healthy and check-leaking: of both halves, with the next seed, to check them.")
	return errors.Join(err, file.Close())
}
