package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/demo"
)

// flagValues are the values of flags that take one of a few.
var flagValues = map[string][]string{
	"format":        {"text", "json"},
	"leak":          {demo.Goroutines, demo.Heap, demo.FDs, demo.None},
	"generate-with": {"limits", "load", "none"},
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
			case flagValues[f.Name] != nil:
				complete = cobra.FixedCompletions(flagValues[f.Name], cobra.ShellCompDirectiveNoFileComp)
			case f.Name == "config", f.Name == "http-config":
				complete = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
			case f.Name == "plot":
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
