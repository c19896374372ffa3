package flags

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	prefix = "LEAKTREND_"
	// exclusive and from are annotations of flags: those that exclude a flag, and the variable that it was set from.
	exclusive = "leaktrend_exclusive"
	from      = "leaktrend_from"
)

// Variable returns the variable that stands in for a flag of all commands, or with a command for its flag alone.
func Variable(command, flag string) string {
	name := flag
	if command != "" {
		name = command + "_" + flag
	}
	return prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// HasVariable reports whether a variable can stand in for a flag: for all but those that ask for a text alone, as
// LEAKTREND_VERSION is what an image may call its own.
func HasVariable(f *pflag.Flag) bool { return f.Name != "help" && f.Name != "version" }

// Exclude says that of some flags one at most can be given. One on the command line puts variables of the others out of
// force.
func Exclude(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		f := fs.Lookup(name)
		if f.Annotations == nil {
			f.Annotations = make(map[string][]string)
		}
		f.Annotations[exclusive] = append(f.Annotations[exclusive], names...)
	}
}

// FromEnvironment sets the flags of a command that are not given from their variables. An empty variable is none. A
// value of the variable of all commands that this one does not know, but another one does, is left to that.
func FromEnvironment(cmd *cobra.Command, lookup func(string) (string, bool)) error {
	given := make(map[string]bool)
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if err == nil && HasVariable(f) && !given[f.Name] && !slices.ContainsFunc(f.Annotations[exclusive],
			func(name string) bool { return given[name] }) {
			err = setFrom(cmd, f, lookup)
		}
	})
	return err
}

func setFrom(cmd *cobra.Command, f *pflag.Flag, lookup func(string) (string, bool)) error {
	own, of := Variable(cmd.Name(), f.Name), Variable("", f.Name)
	variable := own
	value, _ := lookup(own)
	if value == "" {
		variable = of
		value, _ = lookup(of)
	}
	if value == "" || variable == of && choiceOfOthers(cmd, f, value) {
		return nil
	}
	if err := cmd.Flags().Set(f.Name, value); err != nil {
		text := strings.TrimPrefix(Explain(cmd, err).Error(), shown(f)+" "+quoted(value)+": ")
		if variable == of {
			text += fmt.Sprintf(" (%s is for %s alone)", own, cmd.Name())
		}
		return fmt.Errorf("%s=%s: %s", variable, value, text)
	}
	if f.Annotations == nil {
		f.Annotations = make(map[string][]string)
	}
	f.Annotations[from] = []string{variable}
	return nil
}

// choiceOfOthers reports whether only other commands take a word.
func choiceOfOthers(cmd *cobra.Command, f *pflag.Flag, word string) bool {
	if words := Choices(f); words == nil || slices.Contains(words, word) {
		return false
	}
	return slices.ContainsFunc(cmd.Root().Commands(), func(c *cobra.Command) bool {
		other := c.Flags().Lookup(f.Name)
		return other != nil && slices.Contains(Choices(other), word)
	})
}

// Name adds to an error that names flags from which variables these are: who reads it did not write them.
func Name(cmd *cobra.Command, err error) error {
	if err == nil || cmd == nil {
		return err
	}
	var origins []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names := "--" + f.Name
		if f.Shorthand != "" {
			names += "|-" + f.Shorthand
		}
		if variable := f.Annotations[from]; variable != nil &&
			regexp.MustCompile(`(^|[^\w-])(`+names+`)($|[^\w-])`).MatchString(err.Error()) {
			origins = append(origins, shown(f)+" is from "+variable[0])
		}
	})
	if origins == nil {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(origins, ", "))
}

// Hint says how a variable stands in for a flag of a command; "" for a command without such flags.
func Hint(cmd *cobra.Command) string {
	hint := ""
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if hint == "" && HasVariable(f) && !f.Hidden {
			hint = fmt.Sprintf("Variables stand in for flags that are not given: %s for --%s,\n"+
				"or %s for that of %s alone.",
				Variable("", f.Name), f.Name, Variable(cmd.Name(), f.Name), cmd.Name())
		}
	})
	return hint
}
