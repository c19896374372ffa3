// Package calibration says what a score is worth against chance, by a table of the scores of generated series. It
// reads the table; scores are measured in lab/scores, and what is done with e-values stands in fleet.
package calibration

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mdzesseis/leaktrend/detector"
)

//go:generate go run ../../lab/calibrate -o calibration.csv

//go:embed calibration.csv
var calibrationText string

// Marks are the lengths of history at which scores are calibrated. They lie closer than the minimums of 6 hours by
// which long climbs are judged: each new minimum may confirm growth, so what scores high changes from one to the next.
var Marks = marks()

func marks() (all []time.Duration) {
	for hours := time.Duration(6); hours < 48; hours += 2 {
		all = append(all, hours*time.Hour)
	}
	for hours := time.Duration(48); hours <= 332; hours += 4 {
		all = append(all, hours*time.Hour)
	}
	return all
}

// Thresholds are the scores that are told apart, rising. They and their weights were chosen on series of seed 1, which
// calibrate nothing.
var Thresholds = [...]float64{250, 1000, 2000, 3500, 5000, 7000}

// weights are the share that each threshold has in an e-value. They sum to 1. Most lies where next to no healthy series
// comes: to stand out, one leak among a thousand series must beat chance by a factor of some ten thousand.
var weights = [len(Thresholds)]float64{.02, .03, .15, .2, .4, .2}

// Score is how strongly a resource is found to leak where its life ends or the data do: the hours that the growth which
// stands then has lasted, times the evidence that it goes on, in nats, added up over the widths that agree. 0 without a
// growth: a finding that took itself back scores nothing. A ramp of the load or a cache that fills can have much of one
// of the two, but hardly ever of both.
func Score(s *detector.Status) float64 { return s.Grew.Hours() * s.Nats }

// Counts says how many of N series reach each threshold at the end of a history of a length.
type Counts struct {
	Length  time.Duration
	N       int
	Reached [len(Thresholds)]int
}

// Add counts one series.
func (c *Counts) Add(score float64) {
	c.N++
	for k, threshold := range Thresholds {
		if score >= threshold {
			c.Reached[k]++
		}
	}
}

// Sample is a set of series of one sort, counted at every mark.
type Sample []Counts

// NewSample returns an empty sample of all marks.
func NewSample() Sample {
	s := make(Sample, len(Marks))
	for i := range s {
		s[i].Length = Marks[i]
	}
	return s
}

// Worse returns, for each mark and threshold, the count of the sample in which more series reach it. Both have as many
// series.
func (s Sample) Worse(other Sample) Sample {
	worse := slices.Clone(s)
	for i := range worse {
		for k := range worse[i].Reached {
			worse[i].Reached[k] = max(worse[i].Reached[k], other[i].Reached[k])
		}
	}
	return worse
}

// And returns both samples as one.
func (s Sample) And(other Sample) Sample {
	both := slices.Clone(s)
	for i := range both {
		both[i].N += other[i].N
		for k := range both[i].Reached {
			both[i].Reached[k] += other[i].Reached[k]
		}
	}
	return both
}

// Table is what scores are worth. Healthy gives the e-values: of the two halves of the parameters of the generator the
// worse one, as nobody knows which is nearer to a fleet. The other two samples, of both halves and another seed, only
// check them.
type Table struct {
	Healthy, CheckHealthy, CheckLeaking Sample
}

func (c *Table) samples() map[string]*Sample {
	return map[string]*Sample{"healthy": &c.Healthy, "check-healthy": &c.CheckHealthy, "check-leaking": &c.CheckLeaking}
}

// Default returns the calibration that is part of the program.
func Default() *Table {
	c, err := Read(strings.NewReader(calibrationText))
	if err != nil {
		panic(err) // a test reads it
	}
	return c
}

// EValue returns the evidence that a score is against a healthy process after a history of a length: on healthy
// processes its mean is at most 1, whatever the length, if they behave like the generated ones.
//
// It is the sum over the thresholds k that were reached of w(k)/P(k), where w are the weights, P(k) = (B+1)/(n+1), and
// B of n healthy series reached k. For each k the expectation of 1/P(k) over calibration and healthy series is
// 1-(1-p)^(n+1), so at most 1, p being the true chance; so is the weighted mean of several, however they depend. P(k)
// is the higher one of the marks before and after the length, or at it; beyond the last mark that of the last two. A
// history shorter than the first mark gives 0.
func (c *Table) EValue(score float64, length time.Duration) float64 {
	if length < c.Healthy[0].Length {
		return 0
	}
	after := len(c.Healthy) - 1
	for after > 0 && c.Healthy[after-1].Length >= length {
		after--
	}
	before := max(after-1, 0)
	e := 0.
	for k, threshold := range Thresholds {
		if score < threshold {
			break
		}
		e += weights[k] / max(c.Healthy[before].chance(k), c.Healthy[after].chance(k))
	}
	return e
}

func (c *Counts) chance(k int) float64 { return float64(c.Reached[k]+1) / float64(c.N+1) }

const calibrationHeader = "sample,hours,series"

// Write writes the calibration in the form that Read reads, below notes on how it was made.
func (c *Table) Write(w io.Writer, notes ...string) error {
	b := bufio.NewWriter(w)
	for _, note := range notes {
		fmt.Fprintf(b, "# %s\n", note)
	}
	b.WriteString(calibrationHeader)
	for _, threshold := range Thresholds {
		fmt.Fprintf(b, ",score>=%g", threshold)
	}
	b.WriteByte('\n')
	for _, name := range []string{"healthy", "check-healthy", "check-leaking"} {
		for _, counts := range *c.samples()[name] {
			fmt.Fprintf(b, "%s,%g,%d", name, counts.Length.Hours(), counts.N)
			for _, n := range counts.Reached {
				fmt.Fprintf(b, ",%d", n)
			}
			b.WriteByte('\n')
		}
	}
	return b.Flush()
}

// Read reads what Write wrote. Errors name the line.
func Read(r io.Reader) (*Table, error) {
	c := &Table{}
	samples := c.samples()
	lines := bufio.NewScanner(r)
	header := false
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) != 3+len(Thresholds) {
			return nil, fmt.Errorf("calibration:%d: %d fields, want %d", number, len(fields), 3+len(Thresholds))
		}
		if !header {
			header = true
			for k, threshold := range Thresholds {
				if want := fmt.Sprintf("score>=%g", threshold); fields[3+k] != want {
					return nil, fmt.Errorf("calibration:%d: column %q, want %q: made for other thresholds", number, fields[3+k], want)
				}
			}
			continue
		}
		sample := samples[fields[0]]
		if sample == nil {
			return nil, fmt.Errorf("calibration:%d: unknown sample %q", number, fields[0])
		}
		hours, err := strconv.ParseFloat(fields[1], 64)
		if err != nil || !(hours > 0 && hours < 1e5) {
			return nil, fmt.Errorf("calibration:%d: hours %q: want a number above 0", number, fields[1])
		}
		counts := Counts{Length: time.Duration(hours * float64(time.Hour))}
		if n := len(*sample); n > 0 && (*sample)[n-1].Length >= counts.Length {
			return nil, fmt.Errorf("calibration:%d: hours %q: not after the line before", number, fields[1])
		}
		previous := -1
		for i, field := range fields[2:] {
			n, err := strconv.Atoi(field)
			if err != nil || n < 0 || previous >= 0 && n > previous {
				return nil, fmt.Errorf("calibration:%d: count %q: want a whole number, no more than the one before", number, field)
			}
			previous = n
			if i == 0 {
				counts.N = n
			} else {
				counts.Reached[i-1] = n
			}
		}
		*sample = append(*sample, counts)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	for _, name := range []string{"healthy", "check-healthy", "check-leaking"} {
		lengths := make([]time.Duration, 0, len(Marks))
		for _, counts := range *samples[name] {
			lengths = append(lengths, counts.Length)
		}
		if !slices.Equal(lengths, Marks) {
			return nil, fmt.Errorf("calibration: the sample %s has not the marks of a scan, %v to %v", name, Marks[0], Marks[len(Marks)-1])
		}
	}
	if c.Healthy[0].N == 0 {
		return nil, errors.New("calibration: no healthy series")
	}
	return c, nil
}
