package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

func commitCommand(f *storeFlags) *cobra.Command {
	var o layerstore.CommitOptions
	cmd := &cobra.Command{
		Use:   "commit CONTAINER|SNAPSHOT [NAME]",
		Short: "Make an image of a container's or snapshot's changes",
		Long: `Make the changes in a container or snapshot one more layer on top of the image that it was
made from. What is committed is what is in the snapshot's upper directory: the
unchanged rest isn't read. A container of a directory (--rootfs) becomes an image of
one layer, with all that it shows. The new image's id is printed.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.settled(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if o.Names, err = normalized(args[1:]); err != nil {
				return err
			}
			img, err := commitSnapshot(cmd.Context(), s, args[0], o)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), img.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&o.Author, "author", "a", "", "who made it")
	cmd.Flags().StringVarP(&o.Message, "message", "m", "", "a word about it, for the history")
	return cmd
}

func commitSnapshot(ctx context.Context, s *shop, what string, o layerstore.CommitOptions) (layerstore.Image, error) {
	n, err := s.Snapshot(what)
	if err != nil {
		return layerstore.Image{}, err
	}
	d, err := driver.Of(n, s.Store)
	if err != nil {
		return layerstore.Image{}, err
	}
	var base *layerstore.Found
	if n.Image != "" {
		found, err := s.Find(string(n.Image))
		if err != nil {
			return layerstore.Image{}, fmt.Errorf("the image that snapshot %s was made from is gone: %w", what, err)
		}
		base = &found
	}
	st, err := s.Begin()
	if err != nil {
		return layerstore.Image{}, err
	}
	defer st.Close()
	write := d.Diff
	if n.Base != "" {
		write = d.Export // there is no image to put changes on
	}
	layer, err := st.AddTar(ctx, func(w io.Writer) error { return write(ctx, n, w) })
	if err != nil {
		return layerstore.Image{}, fmt.Errorf("commit of %s: %w", what, err)
	}
	if o.Command == "" {
		o.Command = "commit"
	}
	return st.Commit(base, layer, o)
}
