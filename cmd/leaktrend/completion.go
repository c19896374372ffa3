package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
)

// listed are the words that lists are made of.
var listed = map[string][]string{"generate-with": {"limits", "load", "none"}}

// valuesOf returns the words that a flag takes, where there are only a few.
func valuesOf(f *pflag.Flag) []string {
	if words := flags.Choices(f); words != nil {
		return words
	}
	return listed[f.Name]
}

// fileFlags take the name of a file of any kind, which shells offer by themselves.
var fileFlags = []string{"out", "html", "headers"}

// completeValues tells the shell what to offer for arguments and the values of flags: files, values of a list, or
// nothing where only the user knows.
func completeValues(root *cobra.Command) {
	for _, verb := range root.Commands() {
		if verb.ValidArgsFunction == nil && verb.ValidateArgs([]string{"any"}) != nil {
			verb.ValidArgsFunction = cobra.NoFileCompletions
		}
		verb.Flags().VisitAll(func(f *pflag.Flag) {
			complete := cobra.NoFileCompletions
			switch {
			case valuesOf(f) != nil:
				complete = cobra.FixedCompletions(valuesOf(f), cobra.ShellCompDirectiveNoFileComp)
			case f.Name == "config", f.Name == "http-config":
				complete = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
			case f.Name == "plot", f.Name == "state":
				complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
			case slices.Contains(fileFlags, f.Name), f.Value.Type() == "bool":
				return
			}
			if err := verb.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
				panic(err) // a flag of the verb, which has no completion yet
			}
		})
	}
}
