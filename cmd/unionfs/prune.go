package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/runner"
	"unionfs/volumes"
)

func pruneCommand(f *storeFlags) *cobra.Command {
	var what pruned
	var force bool
	var filters []string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what nobody needs",
		Long: `Remove images without a name, or with --all every image that no container or
snapshot was made from, and the layers, blobs and unfinished downloads that
nothing needs; before that, with --containers, the containers that don't run, and
with --volumes the volumes without a name of their own that no container has.

Filters: until=TIME|AGE (what was made before then), label=KEY[=VALUE],
label!=KEY[=VALUE]; all must hold.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			old, err := pruneFilterOf(filters)
			if err != nil {
				return err
			}
			if what.volumes && !old.until.IsZero() {
				return usagef("--volumes with --filter=until=…: volumes are used on and on, and are not chosen by when they were made")
			}
			s, err := f.open()
			if err != nil {
				return err
			}
			ask := agreed
			if what.volumes || what.containers {
				ask = agreedToLose
			}
			if !force && !ask(cmd, what.question()) {
				return nil
			}
			if what.containers {
				if err := pruneContainers(cmd, s, old); err != nil {
					return err
				}
			}
			if what.volumes {
				if err := pruneVolumesToo(cmd, s, old); err != nil {
					return err
				}
			}
			gone, err := s.PruneImages(what.all, old.image(s))
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
	addPruneFilter(cmd, &filters)
	return cmd
}

func addPruneFilter(cmd *cobra.Command, filters *[]string) {
	cmd.Flags().StringArrayVar(filters, "filter", nil, "KEY=VALUE; may be repeated")
}

func containerPruneCommand(f *storeFlags) *cobra.Command {
	var force bool
	var filters []string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove containers that don't run",
		Long: `Remove the containers that don't run, and what they wrote. Filters: until=TIME|AGE
(those made before then), label=KEY[=VALUE], label!=KEY[=VALUE]; all must hold.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			old, err := pruneFilterOf(filters)
			if err != nil {
				return err
			}
			s, err := f.open()
			if err != nil {
				return err
			}
			if !force && !agreedToLose(cmd, "Remove all containers that don't run, and what they wrote?") {
				return nil
			}
			return pruneContainers(cmd, s, old)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "don't ask")
	addPruneFilter(cmd, &filters)
	return cmd
}

// pruneContainers removes those that don't run and that the filter chooses.
func pruneContainers(cmd *cobra.Command, s *shop, old pruneFilter) error {
	r := &runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}
	list, err := r.List()
	if err != nil {
		return err
	}
	count, bytes := 0, int64(0)
	for i := range list {
		c := &list[i]
		if c.State.Status == runner.Running || !old.chooses(c.Created, c.Labels) {
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

func pruneVolumesToo(cmd *cobra.Command, s *shop, old pruneFilter) error {
	store, err := s.sweptVolumes()
	if err != nil {
		return err
	}
	gone, err := store.Prune(cmd.Context(), s.volumeUsers(), func(v *volumes.Volume) (bool, error) {
		return v.Anonymous && old.chooses(v.CreatedAt, v.Labels), nil
	})
	for _, name := range gone.Names {
		fmt.Fprintln(cmd.OutOrStdout(), "Removed:", name)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d volumes removed, %s given back\n", len(gone.Names), size(gone.Bytes))
	return err
}
