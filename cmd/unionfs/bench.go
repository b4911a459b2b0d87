package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"unionfs/bench"
)

// benchWorkerWord is the hidden command in which one run takes place, in
// namespaces of its own; with words more it is one of that run's helpers.
const benchWorkerWord = "__bench-worker"

// benchFlags are what people say of a bench.
type benchFlags struct {
	output
	options            bench.Options
	workloads, targets []string
	sizes, peers, ours []string
	list, quick        bool
	html               string
}

func benchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure unions against each other, the kernel's and a plain directory",
		Long: `Do the same work on several targets (a plain directory, the kernel's overlayfs,
fuse-overlayfs and unionfs-fuse where installed, and unionfs itself, with and
without privilege), again and again, and print how their times compare. Mounts
are made in namespaces of their own and are gone when the bench ends, however it
ends. The work folder keeps the lower trees for the next time.

Root measures everything. An ordinary user measures what works in a user
namespace of one id; "unionfs unshare unionfs bench" has more ids.`,
		Example: `  unionfs bench --quick
  unionfs bench --workload 'find-*' --target kernel --target 'unionfs*' --repeat 9
  unionfs bench --size 0.25 --size big=2048 --html report.html
  unionfs bench --ours before=/tmp/old/unionfs --ours p=bin/unionfs,timeout=0
  unionfs bench --peer next=/opt/fuse-overlayfs/bin/fuse-overlayfs`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.add(cmd)
	return cmd
}

func (f *benchFlags) add(cmd *cobra.Command) {
	o := &f.options
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.Work, "work", defaultBenchWork(), "the folder for lower trees, which stay, and runs; on the file system to measure")
	flags.StringVar(&o.Lower, "lower", "", "a tree to take as the lower one; it is only read")
	flags.BoolVar(&o.Generate, "generate", false, "make up a lower tree instead of a Debian's, without a network")
	flags.StringVar(&o.Release, "release", "bookworm", "the Debian that mmdebstrap makes the lower tree of")
	flags.StringVar(&o.Mirror, "mirror", "", "where mmdebstrap gets it (default: where mmdebstrap always does)")
	flags.StringVar(&o.Package, "package", "", "a .deb that the workload dpkg installs, instead of fetching one")
	flags.StringArrayVarP(&f.workloads, "workload", "w", nil, "only the workloads that match this glob, or with \"!\" before it all others; may be repeated")
	flags.StringArrayVarP(&f.targets, "target", "t", nil, "the same for targets")
	flags.StringVar(&o.Base, "base", "", "the target that the others are compared with (default: the kernel's overlayfs)")
	flags.IntVarP(&o.Repeat, "repeat", "r", 5, "how often each is measured")
	flags.StringArrayVar(&f.sizes, "size", nil, "FACTOR for all sizes, or NAME=N for one; may be repeated")
	flags.BoolVar(&f.quick, "quick", false, "a tenth of all sizes, and one run unless --repeat says otherwise")
	flags.StringArrayVar(&f.ours, "ours", nil, "NAME=PROGRAM[,OPTION…]: another unionfs, or other mount options; may be repeated")
	flags.StringArrayVar(&f.peers, "peer", nil, "NAME=PROGRAM[,OPTION…]: a program that is called like fuse-overlayfs; may be repeated")
	flags.DurationVar(&o.Patience, "timeout", 15*time.Minute, "how long one run may take")
	flags.BoolVar(&f.list, "list", false, "list workloads, targets and sizes")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no line for each run")
	flags.StringVar(&f.html, "html", "", "write the report with bars to this file, too")
	f.output.add(cmd)
}

// defaultBenchWork is on a disk: what is measured is seldom on a tmpfs.
func defaultBenchWork() string {
	if dir, err := os.UserCacheDir(); err == nil && os.Geteuid() != 0 {
		return filepath.Join(dir, "unionfs-bench")
	}
	return "/var/tmp/unionfs-bench"
}

func (f *benchFlags) run(cmd *cobra.Command) error {
	if err := f.complete(cmd); err != nil {
		return err
	}
	if f.list {
		return f.printList(cmd.OutOrStdout())
	}
	if err := os.MkdirAll(f.options.Work, 0o755); err != nil {
		return err
	}
	report, err := bench.Run(cmd.Context(), &f.options)
	if report == nil {
		return err
	}
	if werr := f.print(cmd.OutOrStdout(), report); werr != nil {
		return errors.Join(err, werr)
	}
	switch {
	case err != nil:
		return fmt.Errorf("stopped before the end: %w", err)
	case report.Failed():
		return exitWith{exitFailed} // the report says what and why
	}
	return nil
}

// complete makes options of what was said.
func (f *benchFlags) complete(cmd *cobra.Command) error {
	o := &f.options
	if err := f.completeSizes(cmd); err != nil {
		return err
	}
	// The name that we were called by, and not the file that a link leads to:
	// under another name there are no commands.
	exe := findProgram(os.Args[0])
	targets, err := benchTargets(exe, f.ours, f.peers)
	if err != nil {
		return err
	}
	if o.Targets, err = bench.Select(targets, func(t bench.Target) string { return t.Name }, "target", f.targets); err != nil {
		return usageError{err.Error()}
	}
	if o.Workloads, err = bench.Select(bench.Workloads(), func(w bench.Workload) string { return w.Name }, "workload", f.workloads); err != nil {
		return usageError{err.Error()}
	}
	if strings.ContainsAny(o.Work, ",:\\") {
		return usagef("--work %s: mount options are separated by commas and colons, so that none may be in the name", o.Work)
	}
	o.Worker, o.Version, o.Progress = []string{exe, benchWorkerWord}, ownVersion(), stderr
	if f.quiet {
		o.Progress = io.Discard
	}
	return f.completeBase()
}

func (f *benchFlags) completeSizes(cmd *cobra.Command) error {
	o := &f.options
	o.Sizes = bench.DefaultSizes()
	if f.quick {
		f.sizes = append([]string{"0.1"}, f.sizes...)
		if !cmd.Flags().Changed("repeat") {
			o.Repeat = 1
		}
	}
	for _, word := range f.sizes {
		if err := o.Sizes.Set(word); err != nil {
			return usagef("--%v", err)
		}
	}
	if o.Repeat < 1 {
		return usagef("--repeat %d: it must be at least once", o.Repeat)
	}
	return nil
}

// completeBase checks the target to compare with, or chooses it: the kernel's
// overlayfs where that can be measured, else the first that can.
func (f *benchFlags) completeBase() error {
	o := &f.options
	if o.Base != "" {
		for _, t := range o.Targets {
			if t.Name == o.Base {
				return nil
			}
		}
		return usagef("--base %s: no target of that name is measured", o.Base)
	}
	for _, want := range []string{"kernel", "kernel-rootless", ""} {
		for _, t := range o.Targets {
			if t.Missing == "" && (want == "" || t.Name == want) {
				o.Base = t.Name
				return nil
			}
		}
	}
	if f.list {
		return nil
	}
	return fmt.Errorf("none of the targets can be measured here: %s: %s", o.Targets[0].Name, o.Targets[0].Missing)
}

func (f *benchFlags) printList(w io.Writer) error {
	if f.json || f.format == "json" {
		return printJSON(w, map[string]any{"workloads": f.options.Workloads, "targets": f.options.Targets, "sizes": f.options.Sizes})
	}
	fmt.Fprintln(w, "workloads:")
	for _, wl := range f.options.Workloads {
		fmt.Fprintf(w, "  %-16s %s\n", wl.Name, wl.What)
	}
	fmt.Fprintln(w, "targets:")
	for _, t := range f.options.Targets {
		fmt.Fprintf(w, "  %-24s %s\n", t.Name, t.What)
		if t.Missing != "" {
			fmt.Fprintf(w, "  %-24s   not here: %s\n", "", t.Missing)
		}
	}
	fmt.Fprintln(w, "sizes:")
	for _, s := range bench.SizeList() {
		fmt.Fprintf(w, "  %-16s %7d %s %s\n", s.Name, f.options.Sizes[s.Name], s.Unit, s.What)
	}
	return nil
}

func (f *benchFlags) print(w io.Writer, report *bench.Report) error {
	if f.html != "" {
		if err := writeReportFile(f.html, report); err != nil {
			return err
		}
	}
	switch {
	case f.json || f.format == "json":
		return printJSON(w, report)
	case f.format != "":
		return printTemplate(w, f.format, report.Workloads)
	}
	return report.WriteTable(w)
}

func writeReportFile(name string, report *bench.Report) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	err = report.WriteHTML(file)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}

func benchWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    benchWorkerWord,
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "help" {
				return bench.Help(args[1:])
			}
			return bench.Work(os.Stdin, cmd.OutOrStdout())
		},
	}
}
