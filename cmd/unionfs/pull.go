package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/registry"
)

func pullCommand(f *storeFlags) *cobra.Command {
	var t transferFlags
	cmd := &cobra.Command{
		Use:   "pull NAME…",
		Short: "Fetch images from registries",
		Long: `Fetch images by name, NAME[:TAG] or NAME@DIGEST. What the store has is not
fetched again, and what was cut off goes on where it ended. Mirrors and insecure
registries are configured in the config file. The images' ids are printed.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.with(f, cmd, func(ctx context.Context, s *shop, o registry.Options) error {
				for _, name := range args {
					img, err := registry.Pull(ctx, s.Store, name, o)
					if err != nil {
						return err
					}
					fmt.Fprintln(cmd.OutOrStdout(), img.ID)
				}
				return nil
			})
		},
	}
	t.add(cmd)
	t.addPlatform(cmd)
	t.addRegistry(cmd)
	return cmd
}

func pushCommand(f *storeFlags) *cobra.Command {
	var t transferFlags
	var digestFile string
	cmd := &cobra.Command{
		Use:   "push IMAGE [NAME]",
		Short: "Send an image to a registry",
		Long: `Send an image to the registry that its name, or NAME, says. What was pulled keeps
its digests. The manifest's digest is printed.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return t.with(f, cmd, func(ctx context.Context, s *shop, o registry.Options) error {
				digest, err := push(ctx, s, args, o)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), digest)
				if digestFile != "" {
					return os.WriteFile(digestFile, []byte(digest), 0o644)
				}
				return nil
			})
		},
	}
	t.add(cmd)
	cmd.Flags().StringVar(&digestFile, "digestfile", "", "a file to write the manifest's digest to")
	t.addRegistry(cmd)
	return cmd
}

// push sends an image under the name that it is asked for, unless another is
// given.
func push(ctx context.Context, s *shop, args []string, o registry.Options) (layerstore.Digest, error) {
	to := args[len(args)-1]
	return registry.Push(ctx, s.Store, args[0], to, o)
}
