package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/runner"
	"unionfs/volumes"
)

// withVolume uses a volume for as long as do runs.
func (h *house) withVolume(ctx context.Context, name string, do func(u *volumes.Use) error) error {
	u, err := h.Runner.Volumes.Use(ctx, name, fmt.Sprintf("command-%d-%s", os.Getpid(), layerstore.DigestOf([]byte(name)).Hex()[:6]))
	if err != nil {
		return err
	}
	err = do(u)
	return errors.Join(err, u.Release(context.WithoutCancel(ctx)))
}

// withVolumeRoot is withVolume with the directory of its files open.
func (h *house) withVolumeRoot(ctx context.Context, name string, do func(root int) error) error {
	return h.withVolume(ctx, name, func(u *volumes.Use) error {
		// By bare calls: a container may change what is there at any time.
		root, err := unix.Open(u.Path(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return &os.PathError{Op: "open", Path: u.Path(), Err: err}
		}
		defer unix.Close(root)
		return do(root)
	})
}

func volumeExportCommand(f *storeFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export VOLUME",
		Short: "Write what a volume has as a tar",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			return h.withVolume(cmd.Context(), args[0], func(u *volumes.Use) error {
				return toFile(cmd.OutOrStdout(), file, func(w io.Writer) error { return u.Export(cmd.Context(), w) })
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write (default: standard output)")
	return cmd
}

func volumeImportCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "import VOLUME FILE|-",
		Short: "Put the files of a tar into a volume",
		Long: `Put the files of a tar (plain, gzip, zstd, bzip2 or xz; - is standard input) into a volume that
is there, beside what it has and in the place of what has the same names. A damaged
tar changes nothing.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			in, err := inputFile(cmd, args[1])
			if err != nil {
				return err
			}
			defer in.Close()
			plain, err := layerstore.Decompress(in)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			defer plain.Close()
			return h.withVolume(cmd.Context(), args[0], func(u *volumes.Use) error { return u.Import(cmd.Context(), plain) })
		},
	}
}

func volumeCopyCommand(f *storeFlags) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "cp VOLUME:PATH PATH | PATH VOLUME:PATH",
		Short: "Copy files out of a volume, or into it",
		Long: `Copy a file, or a directory with all that is in it, as cp does it with containers.
For - in the place of a path an archive is written to standard output, or read from
standard input into a directory.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := parseCopy(args[0]), parseCopy(args[1])
			if (from.container == "") == (to.container == "") {
				return usagef("one of both must be VOLUME:PATH: %s %s", args[0], args[1])
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			return h.withVolumeRoot(cmd.Context(), from.container+to.container, func(root int) error {
				return copyBetween(cmd, belowRoot(root), from, to, follow)
			})
		},
	}
	addFollow(cmd, &follow)
	return cmd
}

// belowRoot are files below an open directory.
type belowRoot int

func (r belowRoot) get(path string, follow bool, w io.Writer) error {
	return runner.PackPath(int(r), path, follow, w)
}

func (r belowRoot) put(dir string, in io.Reader) error { return runner.UnpackPath(int(r), dir, in) }

func (r belowRoot) stat(path string) (runner.PathInfo, error) {
	return runner.StatPath(int(r), path), nil
}
