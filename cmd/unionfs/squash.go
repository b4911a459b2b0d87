package main

import (
	"context"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"unionfs/layerstore"
)

func squashCommand(f *storeFlags) *cobra.Command {
	var message string
	cmd := &cobra.Command{
		Use:   "squash IMAGE [NAME]",
		Short: "Make an image of one layer out of an image of many",
		Long: `Merge all layers of an image into one and make it a new image with the same
config. What one layer added and a later one removed is gone for good. Without
NAME the new image has none; its id is printed.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			names, err := normalized(args[1:])
			if err != nil {
				return err
			}
			img, err := squash(cmd.Context(), s, args[0], names, message)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), img.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "a word about it, for the history")
	return cmd
}

func squash(ctx context.Context, s *shop, what string, names []string, message string) (layerstore.Image, error) {
	img, err := s.Find(what)
	if err != nil {
		return layerstore.Image{}, err
	}
	cfg, err := s.Config(img.ID)
	if err != nil {
		return layerstore.Image{}, err
	}
	st, err := s.Begin()
	if err != nil {
		return layerstore.Image{}, err
	}
	defer st.Close()
	if err := st.Hold(nil, img.Layers); err != nil {
		return layerstore.Image{}, err
	}
	layer, err := st.AddTar(ctx, func(w io.Writer) error { return s.Export(ctx, w, img.Layers) })
	if err != nil {
		return layerstore.Image{}, fmt.Errorf("squash of %s: %w", what, err)
	}
	a := layerstore.Assembly{Config: *cfg, Layers: []layerstore.AssemblyLayer{layer.Travels()}, Names: names}
	now := v1.Time{Time: time.Now().UTC()}
	a.Config.Created = now
	// The instructions stay readable; that they made no layer of their own
	// is what squashing is.
	a.Config.History = nil
	for _, h := range cfg.History {
		h.EmptyLayer = true
		a.Config.History = append(a.Config.History, h)
	}
	a.Config.History = append(a.Config.History, v1.History{Created: now, CreatedBy: fmt.Sprintf("squash of %d layers", len(img.Layers)), Comment: message})
	return st.Assemble(a)
}
