// Command leaktrend finds leaks: in recordings, in a live process of any language, in itself.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/show/plain"
)

// Exit codes.
const (
	exitRan   = 0
	exitLeak  = 1 // with --exit-code: a leak was found
	exitUsage = 2 // bad usage or input
	exitPart  = 3 // what was asked for, or a part of it, could not be read or delivered; the rest was judged
)

// errLeak ends a command that was asked to tell by its exit code.
var errLeak = errors.New("a leak was found")

// errUnsure ends it where no leak was found, but something could not be read or judged.
var errUnsure = errors.New("something could not be read or judged")

// errInterrupted ends a command that a signal keeps from its results.
var errInterrupted = errors.New("interrupted")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	endAtOnce(ctx, stop, os.Stderr)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitRan
	case errors.Is(err, errLeak):
		return exitLeak
	case errors.As(err, new(unreadable)), errors.Is(err, record.ErrUnsampled), errors.Is(err, errPartial),
		errors.Is(err, errUndelivered),
		errors.Is(err, errLost), errors.Is(err, errUnsure):
		return exitPart
	}
	return exitUsage
}

// run executes the command line. Results go to stdout, all else to stderr.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(&interruptible{ctx: ctx, from: stdin})
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.InitDefaultCompletionCmd() // which keeps where the output goes by now
	if shells, _, err := root.Find([]string{"completion"}); err == nil {
		shells.Args, shells.RunE = knownCommand, root.RunE
	}
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && cmd == root && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		err = knownCommand(root, args[:1]) // whatever is wrong with the flags behind it: the program has none
	}
	err = flags.Name(cmd, err)
	if errors.Is(err, context.Canceled) {
		err = errInterrupted
	}
	if err != nil && !errors.Is(err, errLeak) && !errors.Is(err, errUnsure) {
		for i, line := range strings.Split(plain.Error(err), "\n") {
			if line = printable(line); i == 0 {
				line = "leaktrend: " + line
			}
			fmt.Fprintln(stderr, line)
		}
	}
	return err
}

// rootCommand returns the command with all its verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "leaktrend",
		Short: "Finds slow leaks of goroutines, memory, file descriptors and threads",
		Long: `leaktrend finds slow leaks of goroutines, memory, file descriptors and threads.

It learns what is normal for a process, tests whether growth is sustained, and says when the growth began, how fast
it is, and how much time is left before the limit. Start with: leaktrend demo

Exit codes:
  0  done
  1  with --exit-code: a leak was found or a limit exceeded
  2  bad usage or input
  3  with --exit-code: no leak was found, but something could not be read or judged
  3  record, watch: nothing could be sampled, or samples could not be recorded
  3  scan: the fleet or a part of it could not be read, or an alert could not be delivered

Environment variables replace flags that are not given: LEAKTREND_PROMETHEUS sets --prometheus of all commands, and
LEAKTREND_SCAN_SINCE sets --since of scan alone. Durations are written as 30s, 1h30m, 7d or 1d12h.`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flags.FromEnvironment(cmd, os.LookupEnv)
		},
		SilenceUsage:  true,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2,
		DisableFlagsInUseLine:      true,
	}
	root.AddCommand(replayCommand(), convertCommand(), recordCommand(), watchCommand(), stateCommand(), tuneCommand(),
		scanCommand(), rulesCommand(), checkCommand(),
		demoCommand(), manCommand(), versionCommand())
	root.SetHelpCommand(helpCommand())
	addVersion(root)
	root.SetFlagErrorFunc(flags.Explain)
	usage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		err := usage(cmd)
		if hint := flags.Hint(cmd); hint != "" {
			fmt.Fprintln(cmd.OutOrStderr(), "\n"+hint)
		}
		return err
	})
	completeValues(root)
	return root
}

// knownCommand refuses a command that there is not.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("%s: no such command; did you mean %s?", args[0], strings.Join(like, " or "))
	}
	return fmt.Errorf("%s: no such command; %s -h lists them", args[0], cmd.CommandPath())
}

// helpCommand is the help on a command, which is refused for one that there is not.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = knownCommand(of, rest)
			}
			if err != nil {
				return err
			}
			of.InitDefaultHelpFlag()
			return of.Help()
		},
	}
}
