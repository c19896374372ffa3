package flags

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Explain says what is wrong with a command line in the words of who wrote it. It is a flag error function.
func Explain(cmd *cobra.Command, err error) error {
	var (
		invalid *pflag.InvalidValueError
		unknown *pflag.NotExistError
		lacks   *pflag.ValueRequiredError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &invalid):
		if cause := ofPID(invalid.GetFlag(), invalid.GetValue()); cause != nil {
			return fmt.Errorf("%s: %w", shown(invalid.GetFlag()), cause)
		}
		return fmt.Errorf("%s %s: %w", shown(invalid.GetFlag()), quoted(invalid.GetValue()),
			clause(invalid.GetFlag(), invalid.Unwrap()))
	case errors.As(err, &lacks):
		if cause := ofPID(lacks.GetFlag(), ""); cause != nil {
			return fmt.Errorf("%s: %w", shown(lacks.GetFlag()), cause)
		}
		return fmt.Errorf("%s: its value is missing", shown(lacks.GetFlag()))
	case errors.As(err, &unknown):
		return noSuch(cmd, unknown)
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: no flag is written like this; %s -h lists them", syntax.GetSpecifiedFlag(),
			cmd.CommandPath())
	}
	return err
}

// shown is the name of a flag as people write it.
func shown(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// quoted writes a value that would not be seen in quotes.
func quoted(value string) string {
	if strings.TrimSpace(value) != value || value == "" {
		return strconv.Quote(value)
	}
	return value
}

// clause says what a flag takes where its parser speaks to programmers.
func clause(f *pflag.Flag, cause error) error {
	tooLarge := errors.Is(cause, strconv.ErrRange)
	switch f.Value.Type() {
	case "int", "int64", "uint64":
		switch {
		case tooLarge:
			return errors.New("is out of range")
		case f.Value.Type() == "uint64":
			return errors.New("must be a whole number of at least 0")
		}
		return errors.New("must be a whole number")
	case "float64":
		if tooLarge {
			return errors.New("is out of range")
		}
		return errors.New("must be a number")
	case "bool":
		return errors.New("must be true or false")
	case "stringSlice":
		return errors.New("must be a list, parted by commas, with quotes in pairs")
	}
	return cause
}

func noSuch(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name := "--" + unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		name = "-" + unknown.GetSpecifiedName()
		// -pid 42 is a slip of who is used to Go's own flags.
		if f := cmd.Flags().Lookup(strings.SplitN(short, "=", 2)[0]); f != nil {
			return fmt.Errorf("-%s: a flag of several letters has two dashes, as in --%s", f.Name, f.Name)
		}
	}
	written := unknown.GetSpecifiedName()
	// which knows what is like a word
	names := cobra.Command{SuggestionsMinimumDistance: slips(written)}
	var like []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if isSwapped(written, f.Name) {
			like = append(like, f.Name)
		}
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if len(like) == 0 {
		like = names.SuggestionsFor(written)
	}
	if len(like) > 0 && len(written) > 1 {
		return fmt.Errorf("%s: %s has no such flag; did you mean --%s?", name, verb(cmd), strings.Join(like, " or --"))
	}
	return fmt.Errorf("%s: %s has no such flag; %s -h lists them", name, verb(cmd), cmd.CommandPath())
}

// isSwapped reports whether a word is another one but for two letters beside each other that have changed places.
func isSwapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 1; i < len(a); i++ {
		if a[i-1] != b[i-1] {
			return a[i-1] == b[i] && a[i] == b[i-1] && a[i+1:] == b[i+1:]
		}
	}
	return false
}

// slips returns how many letters of a flag may be wrong: with two of four, --soak would be like --load.
func slips(name string) int {
	const short = 5
	if len(name) <= short {
		return 1
	}
	return 2
}

// verb is the name of a command below the program's.
func verb(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// NoArgs refuses arguments, and says what was meant perhaps.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if err := surplusIDs(cmd.Flags(), args); err != nil {
		return err
	}
	return fmt.Errorf("%s: %s takes no arguments, only flags; %s -h lists them", quoted(args[0]), verb(cmd),
		cmd.CommandPath())
}

// atLeastOne demands an argument.
func atLeastOne(cmd *cobra.Command, args []string, what string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs %s: %s", verb(cmd), what, cmd.UseLine())
	}
	return nil
}

// OneArg demands one argument, which what names, as in "a file".
func OneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return fmt.Errorf("%s: %s takes %s, and one only", quoted(args[1]), verb(cmd), what)
		}
		return atLeastOne(cmd, args, what)
	}
}

// SomeArgs demands one argument or more, which what names.
func SomeArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error { return atLeastOne(cmd, args, what) }
}
