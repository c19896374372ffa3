// Package calibration says what a score is worth against chance, by a table of the scores of generated series. It
// reads the table; scores are measured in lab/scores, and what is done with e-values stands in fleet.
package calibration

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"
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

// Thresholds are the scores that are counted, rising. Between two of them the chance is drawn on as a power of the
// score.
var Thresholds = [...]float64{250, 1000, 2000, 3500, 5000, 7000}

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
// worse one, as nobody knows which is nearer to a fleet. The next two samples, of both halves and another seed, only
// check them. Joined is of other healthy families, some of which a fleet may have none of, as slow growth that a weekly
// job takes back: with Healthy it tells what a fleet may be like before its own history has told.
type Table struct {
	Healthy, CheckHealthy, CheckLeaking, Joined Sample
}

// sampleNames are those of the samples in the written form, in order.
var sampleNames = []string{"healthy", "check-healthy", "check-leaking", "joined"}

func (c *Table) samples() map[string]*Sample {
	return map[string]*Sample{
		"healthy": &c.Healthy, "check-healthy": &c.CheckHealthy, "check-leaking": &c.CheckLeaking, "joined": &c.Joined,
	}
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
// It is k*P^(k-1), a calibrator of the chance P that a healthy process reaches the score (Vovk and Wang 2021, E-values:
// calibration, combination and applications, eq. 1), with k = 0.1. P is that of Healthy, smooth in the score and the
// length. A history shorter than the first mark gives 0.
func (c *Table) EValue(score float64, length time.Duration) float64 {
	if !(score > 0) || length < Marks[0] {
		return 0
	}
	return calibrator * math.Pow(c.Healthy.chance(score, length), calibrator-1)
}

const calibrator = .1

// UsualChance returns how likely a healthy process has an e-value of at least e, if it is of the families of Healthy.
func UsualChance(e float64) float64 { return min(math.Pow(e/calibrator, 1/(calibrator-1)), 1) }

// PriorChance returns how likely a healthy process has an e-value of at least e after a history of a length, if it is
// as likely of the families of Healthy as of those of Joined.
func (c *Table) PriorChance(e float64, length time.Duration) float64 {
	usual := UsualChance(e)
	if len(c.Joined) == 0 || c.Joined[0].N == 0 {
		return usual
	}
	return (usual + c.Joined.chance(c.Healthy.scoreOf(usual, length), length)) / 2
}

// bandwidth is over which factor of the length counts are averaged, as a standard deviation of its logarithm: the
// series of a table were made in four sets of lengths, which must not show as jumps.
const bandwidth = .25

// tail returns the chance to reach each threshold after a history of a length: (B+1)/(n+1), B and n being the weighted
// means of what was reached and of all series around the length.
func (s Sample) tail(length time.Duration) (tail [len(Thresholds)]float64) {
	var reached [len(Thresholds)]float64
	n, sum := 0., 0.
	length = min(length, s[len(s)-1].Length)
	for i := range s {
		d := math.Log(s[i].Length.Hours()/length.Hours()) / bandwidth
		if s[i].N == 0 || math.Abs(d) > 4 {
			continue
		}
		// Marks lie closer, by their logarithm, the later they are.
		w := math.Exp(-d*d/2) * s.apart(i)
		sum += w
		n += w * float64(s[i].N)
		for k, r := range s[i].Reached {
			reached[k] += w * float64(r)
		}
	}
	for k := range tail {
		tail[k] = 1
		if sum > 0 {
			tail[k] = (reached[k]/sum + 1) / (n/sum + 1)
		}
	}
	return tail
}

// apart returns the distance from mark i to the next one, as a share of its length.
func (s Sample) apart(i int) float64 {
	i = min(i, len(s)-2)
	return (s[i+1].Length - s[i].Length).Hours() / s[i].Length.Hours()
}

// chance returns how likely a series of the sample reaches a score, above 0. Beyond the last threshold it falls as the
// score rises, below the first it rises as the score falls.
func (s Sample) chance(score float64, length time.Duration) float64 {
	tail := s.tail(length)
	const last = len(Thresholds) - 1
	switch {
	case score <= Thresholds[0]:
		return min(tail[0]*Thresholds[0]/score, 1)
	case score >= Thresholds[last]:
		return tail[last] * Thresholds[last] / score
	}
	k := 0
	for score > Thresholds[k+1] {
		k++
	}
	share := math.Log(score/Thresholds[k]) / math.Log(Thresholds[k+1]/Thresholds[k])
	return tail[k] * math.Pow(tail[k+1]/tail[k], share)
}

// scoreOf returns the score of a chance, above 0 and up to 1: the lowest with a chance no higher.
func (s Sample) scoreOf(chance float64, length time.Duration) float64 {
	tail := s.tail(length)
	const last = len(Thresholds) - 1
	switch {
	case chance >= tail[0]:
		return Thresholds[0] * tail[0] / chance
	case chance <= tail[last]:
		return Thresholds[last] * tail[last] / chance
	}
	k := 0
	for chance < tail[k+1] {
		k++
	}
	share := math.Log(chance/tail[k]) / math.Log(tail[k+1]/tail[k])
	return Thresholds[k] * math.Pow(Thresholds[k+1]/Thresholds[k], share)
}

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
	for _, name := range sampleNames {
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
					return nil, fmt.Errorf("calibration:%d: column %q, want %q: made for other thresholds", number,
						fields[3+k], want)
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
				return nil, fmt.Errorf("calibration:%d: count %q: want a whole number, no more than the one before",
					number, field)
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
	for _, name := range sampleNames {
		lengths := make([]time.Duration, 0, len(Marks))
		for _, counts := range *samples[name] {
			lengths = append(lengths, counts.Length)
		}
		if !slices.Equal(lengths, Marks) {
			return nil, fmt.Errorf("calibration: the sample %s has not the marks of a scan, %v to %v", name, Marks[0],
				Marks[len(Marks)-1])
		}
	}
	if c.Healthy[0].N == 0 {
		return nil, errors.New("calibration: no healthy series")
	}
	return c, nil
}
