package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/runner/build"
)

func importCommand(f *storeFlags) *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:   "import FILE|- [NAME]",
		Short: "Make an image of one layer from a tar of a root file system",
		Long: `Read a tar of a root file system (plain, gzip, zstd, bzip2 or xz; - is standard
input) and make it an image of one layer. The image's id is printed.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			in, err := inputFile(cmd, args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			img, err := importTar(cmd.Context(), s, in, args, o)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), img.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&o.message, "message", "m", "", "a word about the import, for the history")
	cmd.Flags().StringVar(&o.platform, "platform", "", "OS/ARCH[/VARIANT] of what is in it (default: this machine's)")
	addChange(cmd, &o.changes)
	return cmd
}

// importOptions are the words of import.
type importOptions struct {
	message, platform string
	changes           []string
}

// inputFile opens a file, or standard input for "-".
func inputFile(cmd *cobra.Command, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return os.Open(name)
}

func importTar(ctx context.Context, s *shop, in io.Reader, args []string, o importOptions) (layerstore.Image, error) {
	names, err := normalized(args[1:])
	if err != nil {
		return layerstore.Image{}, err
	}
	on, err := platformOf(o.platform)
	if err != nil {
		return layerstore.Image{}, err
	}
	config, err := build.Change(v1.Config{}, o.changes)
	if err != nil {
		return layerstore.Image{}, usageError{err.Error()}
	}
	st, err := s.Begin()
	if err != nil {
		return layerstore.Image{}, err
	}
	defer st.Close()
	layer, err := st.AddTar(ctx, func(w io.Writer) error {
		tar, err := layerstore.Decompress(in)
		if err != nil {
			return err
		}
		defer tar.Close()
		_, err = io.Copy(w, tar)
		return err
	})
	if err != nil {
		return layerstore.Image{}, fmt.Errorf("%s: %w", args[0], err)
	}
	now := v1.Time{Time: time.Now().UTC()}
	return st.Assemble(layerstore.Assembly{
		Config: v1.ConfigFile{
			Created: now, OS: on.OS, Architecture: on.Architecture, Variant: on.Variant,
			History: []v1.History{{Created: now, CreatedBy: "imported from " + args[0], Comment: o.message}},
			Config:  config,
		},
		Layers: []layerstore.AssemblyLayer{layer.Travels()},
		Names:  names,
	})
}

func platformOf(word string) (v1.Platform, error) {
	if word == "" {
		return v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	p, err := v1.ParsePlatform(word)
	if err != nil || p.OS == "" || p.Architecture == "" {
		return v1.Platform{}, usagef("--platform=%s: OS/ARCH or OS/ARCH/VARIANT is expected, as in linux/arm64", word)
	}
	return *p, nil
}

// normalized turns names as typed into whole ones.
func normalized(names []string) ([]string, error) {
	var out []string
	for _, name := range names {
		whole, err := layerstore.Normalize(name)
		if err != nil {
			return nil, usageError{err.Error()}
		}
		out = append(out, whole)
	}
	return out, nil
}
