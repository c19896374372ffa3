package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/flags"
	"github.com/mdzesseis/leaktrend/cmd/leaktrend/internal/record"
	"github.com/mdzesseis/leaktrend/sampler"
	"github.com/mdzesseis/leaktrend/sampler/recording"
)

func convertCommand() *cobra.Command {
	var (
		out     string
		force   bool
		reading recording.Options
	)
	cmd := &cobra.Command{
		Use:   "convert FILE -o RECORDING",
		Short: "Convert a file that replay reads to a recording",
		Long: `Read a file as replay does, and write what was read in leaktrend's own format, so that you can check it: times in UTC,
sizes in bytes. Numbers that are not judged are written too. If there are several processes, each gets a file of its
own, with its name before the extension. - is standard input, or with -o standard output.`,
		Example: `  leaktrend convert pidstat.log -o recording.csv
  ps_loop.sh | leaktrend convert --interval 1m - -o -`,
		Args: flags.OneArg("a file"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if out == "" {
				return errors.New("-o RECORDING is needed: the file to write")
			}
			file, err := openFile(cmd.Context(), cmd.InOrStdin(), args[0], reading)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, file.Close()) }()
			if len(file.Recordings) > 1 && out == "-" {
				return fmt.Errorf("-o -: the file holds %d processes, and each is a recording: name a file",
					len(file.Recordings))
			}
			written := make(map[string]bool)
			renamed := make(map[string]string)
			for _, r := range file.Recordings {
				to := besides(out, r.Process())
				for n := 2; written[to]; n++ { // names that differ in what a path cannot hold
					to = besides(out, fmt.Sprintf("%s-%d", r.Process(), n))
				}
				written[to] = true
				if err := convert(cmd, file.Name, r, to, force, renamed); err != nil {
					return err
				}
			}
			reportReading(cmd.ErrOrStderr(), file)
			for _, name := range slices.Sorted(maps.Keys(renamed)) {
				now := renamed[name]
				if strings.HasSuffix(now, "_bytes") {
					now += ", in bytes,"
				}
				fmt.Fprintln(cmd.ErrOrStderr(), printable("renamed: "+name+" is "+now+" in the recording"))
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&out, "out", "o", "", "file to write; - is standard output")
	fs.BoolVar(&force, "force", false, "replace a file that is not empty")
	addReading(fs, &reading)
	return cmd
}

func openFile(ctx context.Context, stdin io.Reader, path string, o recording.Options) (*recording.File, error) {
	if path == "-" {
		return recording.Read(ctx, stdin, "standard input", o)
	}
	return recording.ReadFile(ctx, path, o)
}

// convert writes one recording, and adds to renamed which of its resources have another name there.
func convert(cmd *cobra.Command, from string, r *recording.Reader, to string, force bool,
	renamed map[string]string) (err error) {
	header := r.Header()
	if header.Source == "" {
		header.Source = strings.TrimSpace(filepath.Base(from) + " " + r.Process())
	}
	file, err := record.Create(to, force, cmd.OutOrStdout(), header, func(...any) {}) // what it says ends this
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, finish(file)) }()
	var (
		s     sampler.Sample
		names []string
	)
	for {
		switch err := r.Sample(cmd.Context(), &s); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		names = names[:0]
		for i := range s.Readings {
			names = append(names, s.Readings[i].Resource)
		}
		r.Rename(&s)
		for i := range s.Readings {
			if now := s.Readings[i].Resource; now != names[i] {
				renamed[names[i]] = now
			}
		}
		if err := file.Write(&s); err != nil {
			return err
		}
	}
}

// reportReading tells what was understood of a file, and what was skipped.
func reportReading(stderr io.Writer, file *recording.File) {
	fmt.Fprintln(stderr, printable(file.Name+": "+file.Understood()))
	for _, r := range file.Recordings {
		n, first := r.Faults()
		reportSkipped(stderr, file.Name, n, first)
	}
}

// besides puts the name of a process before the extension of a path.
func besides(path, process string) string {
	if process == "" {
		return path
	}
	safe := strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("-_.", c) {
			return c
		}
		return '-'
	}, process)
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + "." + safe + extension
}
