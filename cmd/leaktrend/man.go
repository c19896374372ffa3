package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/output"
)

func manCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "man [COMMAND... | -d DIR]",
		Short: "Print the manual page of a command, or write all of them",
		Long: `Print the manual page of a command, or of leaktrend itself, in the format of man. -d writes all pages into a directory,
which is created if needed: leaktrend.1, and leaktrend-COMMAND.1 for each command.`,
		Example: `  leaktrend man watch | man -l -
  leaktrend man -d /usr/local/share/man/man1`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if of, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range documented(of)[1:] {
					if c.Parent() == of {
						names = append(names, c.Name()+"\t"+c.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if dir != "" {
				if len(args) > 0 {
					return fmt.Errorf("-d %s: all pages are written, so it takes no %s", dir, strings.Join(args, " "))
				}
				return writePages(cmd.Root(), dir)
			}
			of, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return fmt.Errorf("%s: no such command", strings.Join(args, " "))
			}
			text, err := manPage(of)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVarP(&dir, "dir", "d", "", "write all pages into this directory")
	return cmd
}

// documented returns a command and those below it that have a page.
func documented(c *cobra.Command) []*cobra.Command {
	if !c.HasParent() {
		c.InitDefaultCompletionCmd()
	}
	all := []*cobra.Command{c}
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			all = append(all, documented(below)...)
		}
	}
	return all
}

// writePages writes the page of each command, in the place of what is there.
func writePages(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range documented(root) {
		text, err := manPage(c)
		if err != nil {
			return err
		}
		path := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
		err = output.WriteFile(path, 0o644, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// manPage makes the page of a command of its help and its flags. It changes their text, so nothing else may be made of
// the command.
func manPage(c *cobra.Command) ([]byte, error) {
	build := currentBuild()
	header := doc.GenManHeader{Section: "1", Source: "leaktrend " + build.Version, Manual: "User Commands"}
	if at, err := time.Parse(time.RFC3339, build.Time); err == nil {
		header.Date = &at // so that one revision makes one page
	}
	c.Root().DisableAutoGenTag = true
	c.DisableAutoGenTag = true
	c.InitDefaultHelpFlag()
	c.Long = literal(c.Long)
	c.Flags().VisitAll(func(f *pflag.Flag) { f.Usage, f.DefValue = literal(f.Usage), literal(f.DefValue) })
	var page bytes.Buffer
	if err := doc.GenMan(c, &header, &page); err != nil {
		return nil, err
	}
	page.WriteString(environment(c))
	return []byte(withoutEmpty.Replace(page.String())), nil
}

// environment is the section on the variables that stand in for the flags of a command; "" where there are none.
func environment(c *cobra.Command) string {
	var entries strings.Builder
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if flags.HasVariable(f) && !f.Hidden {
			fmt.Fprintf(&entries, ".TP\n\\fB%s\\fP, \\fB%s\\fP\n\\fB\\-\\-%s\\fP\n", flags.Variable(c.Name(), f.Name),
				flags.Variable("", f.Name),
				strings.ReplaceAll(f.Name, "-", `\-`))
		}
	})
	if entries.Len() == 0 {
		return ""
	}
	return ".SH ENVIRONMENT\nA variable stands in for a flag that is not given, the first one for that of " + c.Name() +
		" alone.\n" + entries.String()
}

// withoutEmpty leaves out defaults that say nothing.
var withoutEmpty = strings.NewReplacer(`\fP[=false]`, `\fP`, `\fP=""`, `\fP \fIvalue\fP`)

// literal has Markdown, of which pages are made, show a text as it is.
func literal(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "<", `\<`, ">",
		`\>`).Replace(text)
}
