package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"unionfs/layerstore/driver"
	"unionfs/layerstore/layertar"
	"unionfs/runner"
)

func diffCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "diff CONTAINER|SNAPSHOT|IMAGE",
		Short: "List the paths that a snapshot, or each layer of an image, changes",
		Long: `List what a snapshot changes in the image that it was made from: A is added, C
is changed, D is deleted. Of a container's, the places of mounts that all have
(/proc, /etc/hosts) are left out. For an image the lines of every layer are listed, each
under the layer's id, the lowest first.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, c, err := f.perhapsContainer(args[0])
			if err != nil {
				return err
			}
			if c != nil {
				if err := h.Sync(cmd.Context(), c); err != nil {
					return err
				}
			}
			return diff(cmd.Context(), h.shop, cmd.OutOrStdout(), &o, args[0], c != nil)
		},
	}
	o.add(cmd)
	return cmd
}

// diff looks for a snapshot first: those are what changes.
func diff(ctx context.Context, s *shop, w io.Writer, o *output, what string, isContainer bool) error {
	n, err := s.Snapshot(what)
	if err != nil {
		layers, ierr := changesOfImage(ctx, s, what)
		if ierr != nil {
			return unknownAs(ierr, what, "container", "snapshot", "image")
		}
		return printLayerChanges(w, o, layers)
	}
	d, err := driver.Of(n, s.Store)
	if err != nil {
		return err
	}
	changes, err := d.Changes(ctx, n)
	if err != nil {
		return err
	}
	if isContainer {
		changes = runner.OwnChanges(changes)
	}
	if o.json || o.format != "" {
		var l layerChanges
		l.count(changes)
		return printRows(w, o, l.Changes, nil, nil)
	}
	printChanges(w, changes)
	return nil
}

func printChanges(w io.Writer, changes []layertar.Change) {
	for _, c := range changes {
		fmt.Fprintf(w, "%c %s\n", c.Kind, c.Path)
	}
}

func printLayerChanges(w io.Writer, o *output, layers []layerChanges) error {
	if o.json || o.format != "" {
		return printRows(w, o, layers, nil, nil)
	}
	for _, l := range layers {
		fmt.Fprintf(w, "%s  %s\n", l.Layer, o.cut(l.CreatedBy, 60))
		for _, c := range l.Changes {
			fmt.Fprintln(w, c.Kind, c.Path)
		}
	}
	return nil
}
