package main

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/runner"
	"unionfs/volumes"
)

func systemCommand(f *storeFlags) *cobra.Command {
	cmd := group("system", "Look after the store")
	cmd.AddCommand(checkCommand(f), dfCommand(f), pruneCommand(f))
	return cmd
}

// group is a command that only holds others.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("say what to do; %s --help lists the commands", cmd.CommandPath())
			}
			return usagef("unknown command %q; %s --help lists them", args[0], cmd.CommandPath())
		},
	}
}

func checkCommand(f *storeFlags) *cobra.Command {
	var o output
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that the store is whole",
		Long: `Hash every blob, unpack every layer again and compare it with its tree, and look
for what is missing. With --repair layers are made anew from their blobs, and
damaged blobs are removed, so that the next pull brings them again. The exit
status is 1 when something stays wrong.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			found, err := s.Check(cmd.Context(), repair, func(string) {})
			if err != nil {
				return err
			}
			return tellProblems(cmd.OutOrStdout(), &o, found)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what can be repaired without the network")
	return cmd
}

func tellProblems(w io.Writer, o *output, found []layerstore.Problem) error {
	left := 0
	for _, p := range found {
		if !p.Repaired {
			left++
		}
	}
	switch {
	case o.json || o.format == "json":
		if err := printJSON(w, append([]layerstore.Problem{}, found...)); err != nil {
			return err
		}
	case o.format != "":
		if err := printTemplate(w, o.format, found); err != nil {
			return err
		}
	default:
		for _, p := range found {
			if p.Repaired {
				fmt.Fprintf(w, "repaired: %s\n", p.What)
			} else {
				fmt.Fprintf(w, "%s (%s)\n", p.What, p.Advice)
			}
		}
		if len(found) == 0 {
			fmt.Fprintln(w, "the store is whole")
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d problems are left", left, len(found))
	}
	return nil
}

// dfRow is one row of system df.
type dfRow struct {
	Type        string `json:"type"`
	Total       int    `json:"total"`
	Active      int    `json:"active"`
	Size        int64  `json:"size"`
	Reclaimable int64  `json:"reclaimable"`
}

func dfCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "df",
		Short: "Show what the store takes, and what could be given back",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			u, err := s.Usage(func(n layerstore.Snapshot) (int64, bool, error) {
				weight, err := weigh(s, n)
				return weight, driver.Mounted(n), err
			})
			if err != nil {
				return err
			}
			volumes, err := volumesRow(cmd, s)
			if err != nil {
				return err
			}
			return tellUsage(cmd.OutOrStdout(), &o, u, volumes)
		},
	}
	o.add(cmd)
	return cmd
}

// volumesRow sums the volumes up; those that no container has could be given back.
func volumesRow(cmd *cobra.Command, s *shop) (dfRow, error) {
	row := dfRow{Type: "Local Volumes"}
	all, err := volumeUsages(cmd, s)
	for _, v := range all {
		row.Total, row.Size = row.Total+1, row.Size+v.Size
		if v.Links > 0 {
			row.Active++
		} else {
			row.Reclaimable += v.Size
		}
	}
	return row, err
}

func tellUsage(w io.Writer, o *output, u layerstore.Usage, volumes dfRow) error {
	rows := []dfRow{
		{"Images", u.Images.Count, u.Images.Active, u.Images.Size, u.Images.Reclaimable},
		{"Snapshots", u.Snapshots.Count, u.Snapshots.Active, u.Snapshots.Size, u.Snapshots.Reclaimable},
		volumes,
		{"Partial downloads", u.Partial.Count, u.Partial.Active, u.Partial.Size, u.Partial.Reclaimable},
	}
	if o.json || o.format != "" && o.format != "table" {
		return printRows(w, o, rows, nil, nil)
	}
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	fmt.Fprintln(t, "TYPE\tTOTAL\tACTIVE\tSIZE\tRECLAIMABLE")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\n", r.Type, r.Total, r.Active, size(r.Size), size(r.Reclaimable))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if u.Shared > 0 {
		fmt.Fprintf(w, "Images share layers: without that they would take %s more.\n", size(u.Shared))
	}
	return nil
}

func pruneCommand(f *storeFlags) *cobra.Command {
	var what pruned
	var force bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what nobody needs",
		Long: `Remove images without a name, or with --all every image that no container or
snapshot was made from, and the layers, blobs and unfinished downloads that
nothing needs; before that, with --containers, the containers that don't run, and
with --volumes the volumes without a name of their own that no container has.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			ask := agreed
			if what.volumes {
				ask = agreedToLose
			}
			if !force && !ask(cmd, what.question()) {
				return nil
			}
			if what.containers {
				if err := pruneContainers(cmd, s); err != nil {
					return err
				}
			}
			if what.volumes {
				if err := pruneVolumesToo(cmd, s); err != nil {
					return err
				}
			}
			gone, err := s.PruneImages(what.all)
			for _, name := range gone.Untagged {
				fmt.Fprintln(cmd.OutOrStdout(), "Untagged:", layerstore.Familiar(name))
			}
			for _, id := range gone.Images {
				fmt.Fprintln(cmd.OutOrStdout(), "Deleted:", id)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d images, %d layers, %d blobs removed, %s given back\n", len(gone.Images), len(gone.Layers), len(gone.Blobs), size(gone.Bytes))
			if err != nil {
				return err
			}
			return driver.Collect(cmd.Context(), s.Store)
		},
	}
	cmd.Flags().BoolVarP(&what.all, "all", "a", false, "also images that have names")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "don't ask")
	cmd.Flags().BoolVar(&what.volumes, "volumes", false, "also volumes without a name that no container has")
	cmd.Flags().BoolVar(&what.containers, "containers", false, "also containers that don't run, and what they wrote")
	return cmd
}

// pruneContainers removes those that don't run.
func pruneContainers(cmd *cobra.Command, s *shop) error {
	r := &runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}
	list, err := r.List()
	if err != nil {
		return err
	}
	count, bytes := 0, int64(0)
	for i := range list {
		c := &list[i]
		if c.State.Status == runner.Running {
			continue
		}
		weight, err := weigh(s, c.Snapshot)
		if err == nil {
			err = r.Remove(cmd.Context(), c, runner.RemoveOptions{})
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "Removed:", c.ID)
		count, bytes = count+1, bytes+weight
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d containers removed, %s given back\n", count, size(bytes))
	return nil
}

// pruned is what system prune removes beside what nobody can want.
type pruned struct{ all, containers, volumes bool }

func (p pruned) question() string {
	what := "images without a name"
	if p.all {
		what = "all images without a snapshot"
	}
	if p.volumes {
		what = "volumes without a name that no container has, " + what
	}
	if p.containers {
		what = "containers that don't run, " + what
	}
	return fmt.Sprintf("Remove %s, and layers that nothing needs?", what)
}

func pruneVolumesToo(cmd *cobra.Command, s *shop) error {
	store, err := s.sweptVolumes()
	if err != nil {
		return err
	}
	gone, err := store.Prune(cmd.Context(), s.volumeUsers(), func(v *volumes.Volume) (bool, error) { return v.Anonymous, nil })
	for _, name := range gone.Names {
		fmt.Fprintln(cmd.OutOrStdout(), "Removed:", name)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d volumes removed, %s given back\n", len(gone.Names), size(gone.Bytes))
	return err
}

// agreed asks people; programs have said what they want by calling.
func agreed(cmd *cobra.Command, question string) bool {
	if !isTerminal(os.Stdin) {
		return true
	}
	return agreedToLose(cmd, question)
}

// agreedToLose is about data that can't be had again: it asks whoever is there, as
// docker's does, and who says nothing hasn't agreed.
func agreedToLose(cmd *cobra.Command, question string) bool {
	fmt.Fprint(cmd.OutOrStdout(), question+" [y/N] ")
	var answer string
	_, _ = fmt.Fscanln(cmd.InOrStdin(), &answer)
	if !isTerminal(os.Stdin) {
		fmt.Fprintln(cmd.OutOrStdout()) // where people end the line
	}
	return answer == "y" || answer == "Y" || answer == "yes"
}
