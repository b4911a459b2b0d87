package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

func tagCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "tag IMAGE NAME…",
		Short: "Give an image more names",
		Args:  cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			for _, name := range args[1:] {
				if err := s.Tag(args[0], name); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func rmiCommand(f *storeFlags) *cobra.Command {
	var force, all bool
	cmd := &cobra.Command{
		Use:   "rmi IMAGE…",
		Short: "Remove images",
		Long: `Remove names of images. With the last name the image goes, and all layers that
no other image and no snapshot needs. By its id an image goes with all names.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			if all {
				if args, err = everyImage(s); err != nil {
					return err
				}
			} else if len(args) == 0 {
				return usagef("no image: say which to remove, or --all")
			}
			failed := removeImages(cmd, s, args, force)
			// Trees that other drivers keep of its chain go with an image.
			if err := driver.Collect(cmd.Context(), s.Store); err != nil && failed == nil {
				failed = err
			}
			return failed
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "also images that snapshots were made from (those keep their layers)")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "all images")
	return cmd
}

func everyImage(s *shop) (ids []string, err error) {
	images, err := s.Images()
	for _, img := range images {
		ids = append(ids, string(img.ID))
	}
	return ids, err
}

// removeImages goes on after a failure, with a line for each.
func removeImages(cmd *cobra.Command, s *shop, what []string, force bool) (failed error) {
	for _, name := range what {
		gone, err := s.RemoveImage(name, force)
		printRemoved(cmd, gone)
		if err == nil {
			continue
		}
		if failed != nil {
			say("%v", failed)
		}
		failed = err
	}
	return failed
}

func printRemoved(cmd *cobra.Command, gone layerstore.Removed) {
	w := cmd.OutOrStdout()
	for _, name := range gone.Untagged {
		fmt.Fprintln(w, "Untagged:", layerstore.Familiar(name))
	}
	for _, id := range gone.Images {
		fmt.Fprintln(w, "Deleted:", id)
	}
	if len(gone.Images) > 0 {
		fmt.Fprintf(w, "%d layers removed, %s given back\n", len(gone.Layers), size(gone.Bytes))
	}
}
