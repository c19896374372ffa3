package main

import (
	"cmp"
	"context"
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
	"github.com/mdzesseis/leaktrend/sampler/self"
)

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration, and print what is in force and what is off",
		Long: `Check the section resource_monitoring of a YAML file, and print what is in force and what is off. All errors are
reported at once, each with file, line and key, and the exit code is 2. A file without the section is an error too. A
valid setting that may not do what you expect is a warning. - is standard input.`,
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
			warning.Message = strings.Replace(warning.Message, ": the defaults hold", "", 1)
			return errors.New(warning.String())
		}
		fmt.Fprintln(w, printable("warning: "+warning.String()))
	}
	if err != nil {
		return err
	}
	for _, text := range unreachable(config, ceilingsHere()) {
		fmt.Fprintln(w, printable("warning: "+path+": "+text))
	}
	fmt.Fprintln(w, printable(path)+": valid")
	if !config.Enabled {
		_, err := fmt.Fprintln(w, "  off         all of it: enabled is false")
		return err
	}
	inForce := config.InForce()
	row := func(what, text string) { fmt.Fprintf(w, "  %-10s  %s\n", what, printable(text)) }
	row("checks", "every "+sampler.ShortDuration(config.CheckInterval))
	row("limits", inForce.Limits)
	row("time scale", inForce.TimeScale)
	row("alerts", alertsOf(config))
	if config.StackTraceOnLeak && config.ProfileMaxMB > 0 {
		row("captures", fmt.Sprintf("in %s, at most %d MB", cmp.Or(config.ProfileDir, os.TempDir()),
			config.ProfileMaxMB))
	}
	row("off", cmp.Or(strings.Join(inForce.Off, ", "), "nothing"))
	return nil
}

// ceilingsHere returns what a process of this machine can have; nothing where that is not known.
func ceilingsHere() []sampler.Ceiling {
	here, err := self.New()
	if err != nil {
		return nil
	}
	defer here.Close()
	var s sampler.Sample
	_ = here.Sample(context.Background(), &s) // what else it reads does not matter
	return s.Ceilings
}

// unreachable says which limits of a configuration are beyond what a process can have by ceilings: it dies before.
func unreachable(c detector.Config, ceilings []sampler.Ceiling) (said []string) {
	for _, limit := range []struct {
		key      string
		level    int64
		resource string // that has the ceiling
	}{
		{"fd_threshold", c.FDThreshold, sampler.OpenFDs},
		{"memory_threshold_mb", c.MemoryThreshold, sampler.RSSBytes},
	} {
		for _, ceiling := range ceilings {
			if r, _ := sampler.Lookup(limit.resource); ceiling.Resource == r.Name && ceiling.Level > 0 &&
				float64(limit.level) >= ceiling.Level {
				said = append(said, fmt.Sprintf("%s: %s is never reached where a process can have no more than here: "+
					"%s (%s)",
					limit.key, r.Format(float64(limit.level)), r.Format(ceiling.Level), ceiling.Source))
			}
		}
	}
	return said
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
