package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/registry"
)

func loadCommand(f *storeFlags) *cobra.Command {
	var t transferFlags
	var file string
	cmd := &cobra.Command{
		Use:   "load [FILE|FOLDER|-]",
		Short: "Bring in images from an archive or an OCI layout",
		Long: `Bring in the images of an archive as docker save, podman save, skopeo and buildx
write it (docker or OCI; plain, gzip, zstd, bzip2 or xz), or of a folder with an OCI
layout.
oci:FOLDER:REF, oci-archive:FILE:REF and docker-archive:FILE:REF take one image
of several. Without a word, or with -, the archive is read from standard input.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := loadSource(cmd, file, args)
			if err != nil {
				return err
			}
			return t.with(f, cmd, func(ctx context.Context, s *shop, o registry.Options) error {
				loaded, err := registry.Load(ctx, s.Store, from, o)
				printLoaded(cmd, loaded)
				return err
			})
		},
	}
	t.add(cmd)
	t.addPlatform(cmd)
	cmd.Flags().StringVarP(&file, "input", "i", "", "the same as a word: what to read")
	return cmd
}

func loadSource(cmd *cobra.Command, file string, args []string) (registry.Source, error) {
	if len(args) > 0 {
		if file != "" {
			return registry.Source{}, usagef("both %s and --input=%s: say one", args[0], file)
		}
		file = args[0]
	}
	if file != "" && file != "-" {
		return registry.ParseSource(file), nil
	}
	if in, ok := cmd.InOrStdin().(*os.File); ok && isTerminal(in) {
		return registry.Source{}, usagef("nothing to read: say which archive, or redirect one to standard input")
	}
	return registry.Source{Reader: cmd.InOrStdin()}, nil
}

func printLoaded(cmd *cobra.Command, loaded []registry.Loaded) {
	for _, l := range loaded {
		if len(l.Names) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "Loaded image ID:", l.ID)
		}
		for _, name := range l.Names {
			fmt.Fprintln(cmd.OutOrStdout(), "Loaded image:", layerstore.Familiar(name))
		}
	}
}

func saveCommand(f *storeFlags) *cobra.Command {
	var t transferFlags
	var file, format string
	cmd := &cobra.Command{
		Use:   "save IMAGE…",
		Short: "Write images to an archive or an OCI layout",
		Long: `Write images with all their layers and names: docker-archive is what docker and
podman load, oci-archive a tar of an OCI layout, oci-dir such a layout as a folder.
OCI forms keep every digest.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := registry.ParseFormat(format)
			if err != nil {
				return usageError{"--format: " + err.Error()}
			}
			to := registry.Target{Path: file, Format: kind}
			if file == "" || file == "-" {
				if out, ok := cmd.OutOrStdout().(*os.File); ok && isTerminal(out) || kind == registry.OCIDir {
					return usagef("say where to write with -o, or redirect standard output to a file")
				}
				to.Path, to.Writer = "", cmd.OutOrStdout()
			}
			return t.with(f, cmd, func(ctx context.Context, s *shop, o registry.Options) error {
				return registry.Save(ctx, s.Store, args, to, o)
			})
		},
	}
	t.add(cmd)
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file or folder to write (default: standard output)")
	cmd.Flags().StringVar(&format, "format", string(registry.DockerArchive), "docker-archive, oci-archive or oci-dir")
	return cmd
}
