package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"unionfs/volumes"
)

func volumeSnapshotCommand(f *storeFlags) *cobra.Command {
	var o output
	var list, copied, pause bool
	var remove string
	cmd := &cobra.Command{
		Use:   "snapshot VOLUME [NAME]",
		Short: "Keep what a volume has now",
		Long: `Keep what a volume has now, under a name (default: the time), which is printed.
unionfs volume restore brings it back, unionfs volume clone makes a volume of it.

Where the file system shares blocks between files (btrfs, xfs) a copy is made that
takes no room. Elsewhere, when no container runs that has the volume, it becomes
the lower layer of a union in which the volume goes on: at once, whatever its size.
A volume that is in use is copied, and the containers that have it stand still
meanwhile, so that a database finds there what it would find after a crash; with
--pause=false they go on, and files of different moments may come together. --copy
copies where a layer would do.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			store := h.Runner.Volumes
			switch {
			case list:
				v, err := store.Get(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printSnapshots(cmd, &o, v.Snapshots)
			case remove != "":
				if err := store.RemoveSnapshot(cmd.Context(), args[0], remove); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), remove)
				return nil
			}
			so := volumes.SnapshotOptions{Copy: copied, Still: h.still(cmd.Context(), pause)}
			if len(args) > 1 {
				so.Name = args[1]
			}
			snap, err := store.Snapshot(cmd.Context(), args[0], so)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), snap.Name)
			}
			return err
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "with --list: print names alone")
	cmd.Flags().BoolVarP(&list, "list", "l", false, "list the volume's snapshots")
	cmd.Flags().StringVar(&remove, "remove", "", "remove the snapshot of that name")
	addPause(cmd, &pause)
	cmd.Flags().BoolVar(&copied, "copy", false, "copy, so that the volume stays a plain directory")
	cmd.MarkFlagsMutuallyExclusive("list", "remove", "copy")
	return cmd
}

func addPause(cmd *cobra.Command, pause *bool) {
	cmd.Flags().BoolVar(pause, "pause", true, "pause the containers that have the volume while it is copied")
}

func printSnapshots(cmd *cobra.Command, o *output, rows []volumes.Snapshot) error {
	return printRows(cmd.OutOrStdout(), o, rows, func(n volumes.Snapshot) string { return n.Name }, []column[volumes.Snapshot]{
		{"SNAPSHOT", func(n volumes.Snapshot) string { return n.Name }},
		{"CREATED", func(n volumes.Snapshot) string { return ago(n.CreatedAt) }},
		{"KIND", func(n volumes.Snapshot) string {
			if n.Copied {
				return "copy"
			}
			return "layers"
		}},
	})
}

func volumeCloneCommand(f *storeFlags) *cobra.Command {
	var labels []string
	var pause bool
	cmd := &cobra.Command{
		Use:   "clone VOLUME[@SNAPSHOT] NEW",
		Short: "Make a volume with what another one has",
		Long: `Make a volume with what another one has now, or had in a snapshot. It takes room
for what is written to either from then on, where unionfs volume snapshot --help
says so. The new volume's name is printed.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			words, err := labelMap(labels)
			if err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			v, err := h.Runner.Volumes.Clone(cmd.Context(), args[0], volumes.Request{Name: args[1], Labels: words}, h.still(cmd.Context(), pause))
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), v.Name)
			}
			return err
		},
	}
	cmd.Flags().StringArrayVar(&labels, "label", nil, "KEY=VALUE, kept with it; may be repeated")
	addPause(cmd, &pause)
	return cmd
}

func volumeRestoreCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "restore VOLUME SNAPSHOT",
		Short: "Make a volume what it was in a snapshot",
		Long: `Make a volume what it was in a snapshot. What was written since is gone, unless
another snapshot has it. No container that runs may have the volume.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			if err := h.Runner.Volumes.Restore(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), args[0])
			return nil
		},
	}
}
