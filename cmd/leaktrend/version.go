package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
)

// build is what a binary knows of how it was made. A field that is empty is not known, as the revision in a binary of
// go install MODULE@VERSION, which has a version alone.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`     // of the revision, RFC 3339
	Modified *bool  `json:"modified,omitempty"` // built from files that differ from the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// currentBuild returns what this binary knows.
func currentBuild() build {
	info, _ := debug.ReadBuildInfo() // nil in a binary without modules
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) build {
	b := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	if info.Main.Version != "" {
		b.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			modified := setting.Value == "true"
			b.Modified = &modified
		}
	}
	return b
}

// String is the build for people, the version on the first line.
func (b build) String() string {
	text := "leaktrend " + b.Version + "\n"
	row := func(name, value string) {
		if value != "" {
			text += fmt.Sprintf("  %-8s  %s\n", name, value)
		}
	}
	revision := b.Revision
	if b.Modified != nil && *b.Modified {
		revision += " (modified)"
	}
	row("revision", revision)
	row("time", b.Time)
	row("go", b.Go)
	row("platform", b.Platform)
	return text
}

func versionCommand() *cobra.Command {
	format := "text"
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version and how it was built",
		Long: `Print the version, the revision it was built from and its time, the version of Go and the platform. A version with
+dirty, and a revision that is (modified), were built from files that differ from the revision.`,
		Example: `  leaktrend version
  leaktrend version --format json`,
		Args: flags.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(currentBuild())
			}
			_, err := io.WriteString(cmd.OutOrStdout(), currentBuild().String())
			return err
		},
	}
	flags.Choice(cmd.Flags(), &format, "format", []string{"text", "json"}, "text: for people; json: an object")
	return cmd
}

// addVersion gives the root command the flag --version, which prints what the command version does. The flag is defined
// here so that it takes no -v.
func addVersion(root *cobra.Command) {
	root.Version = currentBuild().String()
	root.Flags().Bool("version", false, "print the version and how it was built")
	root.SetVersionTemplate("{{.Version}}")
}
