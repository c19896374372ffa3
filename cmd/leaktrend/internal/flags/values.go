// Package flags has what the flags of all commands share: their types, what is said of a wrong one, and the variables
// of the environment that stand in for them. Which flags there are is for the commands.
package flags

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/sampler"
)

// Range is what a duration may be. Its zero value admits any that is above zero.
type Range struct {
	Min, Max time.Duration // 0 = above zero; 0 = any
	Zero     bool          // 0 is a value too: off, or none
	Example  string        // for messages, as in 20m
}

// Duration adds a flag that takes a duration as sampler.ParseDuration reads it, and begins with what it points to.
func Duration(fs *pflag.FlagSet, to *time.Duration, name string, of Range, usage string) {
	fs.Var(&duration{to, of}, name, usage)
}

type duration struct {
	to *time.Duration
	Range
}

// Set reads a duration within the range.
func (d *duration) Set(text string) error {
	v, err := sampler.ParseDuration(text)
	if err != nil {
		return err
	}
	for _, bound := range []struct {
		broken bool
		fault  string
	}{
		{v < 0 && d.Zero, "must not be negative"},
		{v == 0 && d.Zero, ""},
		{v <= 0 && d.Min == 0, "must be above zero"},
		{(v < d.Min || d.Max > 0 && v > d.Max) && d.Max > 0 && d.Min > 0, "must be from " + short(d.Min) + " to " +
			short(d.Max)},
		{v < d.Min, "must be at least " + short(d.Min)},
		{d.Max > 0 && v > d.Max, "must be at most " + short(d.Max)},
	} {
		switch {
		case bound.broken && bound.fault == "":
			*d.to = v
			return nil
		case bound.broken:
			return fmt.Errorf("%s, as in %s", bound.fault, d.Example)
		}
	}
	*d.to = v
	return nil
}

// String returns the duration; what is 0 is no default to speak of.
func (d *duration) String() string {
	if d.to == nil || *d.to == 0 {
		return "0"
	}
	return short(*d.to)
}

// Type names the kind of value in help.
func (d *duration) Type() string { return "duration" }

// short writes a duration as it is read, whole days as such.
func short(d time.Duration) string {
	if day := 24 * time.Hour; d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return sampler.ShortDuration(d)
}

// Choice adds a flag that takes one of a few words, and begins with what it points to.
func Choice(fs *pflag.FlagSet, to *string, name string, words []string, usage string) {
	fs.Var(&choice{to, words}, name, usage)
}

type choice struct {
	to    *string
	words []string
}

// Set takes one of the words.
func (c *choice) Set(text string) error {
	if !slices.Contains(c.words, text) {
		return fmt.Errorf("must be %s", list(c.words))
	}
	*c.to = text
	return nil
}

// String returns the word.
func (c *choice) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

// Type names the kind of value in help: text, which has its default in quotes.
func (c *choice) Type() string { return "string" }

// Choices returns the words that a flag takes; nil where there are not just a few.
func Choices(f *pflag.Flag) []string {
	if c, ok := f.Value.(*choice); ok {
		return c.words
	}
	return nil
}

// list writes words as a sentence has them: a, b or c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
