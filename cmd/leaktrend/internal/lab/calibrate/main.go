// Command calibrate measures the scores of generated healthy and leaking series and writes the table that gives a scan
// its e-values.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/fleet/calibration"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/generate"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/lab/scores"
)

func main() {
	out := flag.String("o", "calibration.csv", "file to write")
	series := flag.Int("n", 7000, "series of a week for each healthy family and half of the parameters; fewer of two "+
		"weeks, to check, and of leaking families")
	seed := flag.Uint64("seed", 101, "of the series that calibrate; the next seed makes those that check")
	families := flag.Bool("families", false, "write no table, but print how many series of each healthy family reach "+
		"a score, of -n for each half")
	joined := flag.Bool("joined", false, "measure only the families that joined later, and leave the rest of the "+
		"file as it is")
	flag.Parse()
	var err error
	switch {
	case *families:
		err = byFamily(*series, *seed)
	case *joined:
		err = join(*out, *series, *seed)
	default:
		err = run(*out, *series, *seed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "calibrate:", err)
		os.Exit(1)
	}
}

func run(out string, series int, seed uint64) error {
	if series < 10 {
		return errors.New("-n: want 10 or more")
	}
	start := time.Now()
	measure := func(what string, o scores.Options) (calibration.Sample, error) {
		sample, err := scores.Measure(context.Background(), o)
		fmt.Fprintf(os.Stderr, "%s: %s\n", time.Since(start).Round(time.Second), what)
		return sample, err
	}
	var halves [2][3]calibration.Sample
	for i, ranges := range []generate.Split{generate.Tune, generate.Report} {
		var errs [3]error
		o := scores.Options{Seed: seed, Ranges: ranges, PerFamily: series}
		halves[i][0], errs[0] = measure("healthy", o)
		o.Seed, o.PerFamily = seed+1, series/4
		halves[i][1], errs[1] = measure("healthy, to check", o)
		o.PerFamily, o.Leaking = series/10, true
		halves[i][2], errs[2] = measure("leaking, to check", o)
		if err := errors.Join(errs[:]...); err != nil {
			return err
		}
	}
	c := &calibration.Table{
		Healthy: halves[0][0].Worse(halves[1][0]), CheckHealthy: halves[0][1].And(halves[1][1]),
		CheckLeaking: halves[0][2].And(halves[1][2]),
	}
	var err error
	if c.Joined, err = measureJoined(series, seed); err != nil {
		return err
	}
	return write(c, out, series, seed)
}

// join measures only what joined later, as run does, and takes the rest from the file.
func join(out string, series int, seed uint64) error {
	c := calibration.Default()
	var err error
	if c.Joined, err = measureJoined(series, seed); err != nil {
		return err
	}
	return write(c, out, series, seed)
}

// measureJoined takes a twentieth of the series for each family.
func measureJoined(series int, seed uint64) (calibration.Sample, error) {
	o := scores.Options{Seed: seed, PerFamily: max(series/20, 1), Joined: true}
	total := calibration.NewSample()
	for _, o.Ranges = range []generate.Split{generate.Tune, generate.Report} {
		sample, err := scores.Measure(context.Background(), o)
		if err != nil {
			return nil, err
		}
		total = total.And(sample)
	}
	return total, nil
}

func write(c *calibration.Table, out string, series int, seed uint64) error {
	file, err := os.Create(out)
	if err != nil {
		return err
	}
	err = c.Write(file,
		"How many generated series reach a score at the end of a history. Made by",
		fmt.Sprintf("go run ./cmd/leaktrend/internal/lab/calibrate -n %d -seed %d; healthy gives the e-values and is "+
			"the worse of", series, seed),
		"the two halves of the generator's parameters; check-healthy and check-leaking: of both halves, with the "+
			"next seed, to check them;",
		"joined: the families that joined later and the lives of healthy services, a twentieth of each.")
	return errors.Join(err, file.Close())
}

// byFamily prints which families the high scores of healthy series are of.
func byFamily(series int, seed uint64) error {
	fmt.Print("family,hours,series")
	for _, threshold := range calibration.Thresholds {
		fmt.Printf(",score>=%g", threshold)
	}
	fmt.Println()
	for _, family := range scores.Families(false) {
		total := calibration.NewSample()
		for _, ranges := range []generate.Split{generate.Tune, generate.Report} {
			sample, err := scores.Measure(context.Background(), scores.Options{Seed: seed, Ranges: ranges,
				PerFamily: series, Family: family})
			if err != nil {
				return err
			}
			total = total.And(sample)
		}
		for _, counts := range total {
			if counts.Reached[0] == 0 {
				continue
			}
			fmt.Printf("%s,%g,%d", family, counts.Length.Hours(), counts.N)
			for _, n := range counts.Reached {
				fmt.Printf(",%d", n)
			}
			fmt.Println()
		}
	}
	return nil
}
