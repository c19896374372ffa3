package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/remembered"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/watch"
)

func stateCommand() *cobra.Command {
	var (
		format = "text"
		html   string
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "state [FILE or DIR...]",
		Short: "Show what is known of processes from their earlier lives",
		Long: `Show what watch, or a service with state_dir, keeps between the lives of a process: when each began, how old it became,
what it ran, its levels at the start and at the end, by how much it grew, and how it ended. --html draws the curves of
the lives over their age, on top of each other: a leak climbs in each of them, a warm-up bends in each. With --html the
tables are printed only if --format is given.

Without a file or directory it shows what watch keeps in the user's state directory.`,
		Example: `  leaktrend state
  leaktrend state --html lives.html /var/lib/worker/leaktrend`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := output.Writable(html, force); err != nil {
				return err
			}
			if len(args) == 0 {
				dir := watch.StateDir()
				if dir == "" {
					return errors.New("a state file or a directory is needed: this user has no state directory")
				}
				if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("nothing is kept yet in %s: \"leaktrend watch --name PATTERN\" keeps it there, "+
						"except with --soak", dir)
				}
				args = []string{dir}
			}
			all, faults := remembered.Read(args)
			if len(all) == 0 {
				return faults
			}
			if html != "" {
				err := output.WriteFile(html, 0o644, func(w io.Writer) error { return remembered.WriteHTML(w, all) })
				if err == nil && !cmd.Flags().Changed("format") { // the page has what the tables have
					_, err = fmt.Fprintf(cmd.OutOrStdout(), "The curves and tables of the lives are in %s\n",
						printable(html))
					return errors.Join(faults, err)
				}
				if err != nil {
					return errors.Join(faults, err)
				}
			}
			write := remembered.WriteText
			if format == "json" {
				write = remembered.WriteJSON
			}
			return errors.Join(faults, write(cmd.OutOrStdout(), all))
		},
	}
	fs := cmd.Flags()
	flags.Choice(fs, &format, "format", []string{"text", "json"}, "text: tables; json: a life a line")
	fs.StringVar(&html, "html", "", "write a page with the curves to this file; it needs no network")
	fs.BoolVar(&force, "force", false, "replace a file that is not empty")
	return cmd
}
