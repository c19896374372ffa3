package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/alerting/webhook"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/detector"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/redact"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration, and say what holds and what is off",
		Long: `Check the section resource_monitoring of a YAML file, and say what holds and what is off. Everything that is wrong is
an error that names file, line and key, all of them at once, and the exit code is 2; so is a file without the section.
What loads but may not do what its writer expects is a warning. - is standard input.`,
		Example: `  leaktrend check config.yaml
  leaktrend tune week.csv -o leaktrend.yaml && leaktrend check leaktrend.yaml`,
		Args: flags.OneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCheck(cmd.OutOrStdout(), cmd.InOrStdin(), args[0])
		},
	}
}

func runCheck(w io.Writer, stdin io.Reader, path string) error {
	var (
		config   detector.Config
		warnings []detector.Warning
		err      error
	)
	if path == "-" {
		config, warnings, err = detector.ParseConfig(stdin, "standard input")
		path = "standard input"
	} else {
		config, warnings, err = detector.LoadConfig(path)
	}
	for _, warning := range warnings {
		// whoever checks a file means it to have the section: it is lost, or its name is misspelled
		if warning.NoSection() {
			return errors.New(warning.String())
		}
		fmt.Fprintln(w, printable("warning: "+warning.String()))
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(w, printable(path)+": valid")
	if !config.Enabled {
		_, err := fmt.Fprintln(w, "  off         all of it: enabled is false")
		return err
	}
	says := config.InForce()
	row := func(what, text string) { fmt.Fprintf(w, "  %-10s  %s\n", what, printable(text)) }
	row("checks", "every "+sampler.ShortDuration(config.CheckInterval))
	row("limits", says.Limits)
	row("time scale", says.TimeScale)
	row("alerts", alertsOf(config))
	if config.StackTraceOnLeak && config.ProfileMaxMB > 0 {
		row("captures", fmt.Sprintf("in %s, at most %d MB", cmp.Or(config.ProfileDir, os.TempDir()),
			config.ProfileMaxMB))
	}
	row("off", cmp.Or(strings.Join(says.Off, ", "), "nothing"))
	return nil
}

// alertsOf says where alerts go, and how often.
func alertsOf(c detector.Config) string {
	to := "log"
	if u, err := url.Parse(c.AlertWebhookURL); err == nil && c.AlertWebhookURL != "" {
		w, err := webhook.New(webhook.Config{URL: c.AlertWebhookURL, Format: c.AlertWebhookFormat})
		if err == nil {
			to = fmt.Sprintf("log and %s as %s", redact.URL(u), w.Format())
		}
	}
	if c.AlertCooldown == 0 {
		return to
	}
	return to + ", those of one resource and kind at most every " + sampler.FormatDuration(c.AlertCooldown)
}
