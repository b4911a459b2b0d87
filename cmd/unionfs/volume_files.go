package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

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
		// By bare calls: this process may serve the mount.
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
		Long: `Put the files of a tar (plain, gzip or zstd; - is standard input) into a volume that
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
	return &cobra.Command{
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
				if from.container != "" {
					return copyOutOf(cmd, root, from.path, to.path)
				}
				return copyInto(cmd, root, from.path, to.path)
			})
		},
	}
}

// copyOutOf writes what is at a path below root to a local one.
func copyOutOf(cmd *cobra.Command, root int, from, to string) error {
	if to == "-" {
		return toFile(cmd.OutOrStdout(), "", func(w io.Writer) error { return runner.PackPath(root, from, w) })
	}
	if fi, err := os.Stat(to); err == nil && fi.IsDir() && !strings.HasSuffix(from, "/.") {
		to = filepath.Join(to, path.Base(path.Clean("/"+from)))
	}
	return piped(func(w io.Writer) error { return runner.PackPath(root, from, w) }, func(r io.Reader) error {
		if err := unpackTo(to, r); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r) // what pads the archive
		return err
	})
}

// copyInto puts a local path, or an archive from standard input, below root.
func copyInto(cmd *cobra.Command, root int, from, to string) error {
	if from == "-" {
		return runner.UnpackPath(root, to, cmd.InOrStdin())
	}
	exists, isDir := runner.StatPath(root, to)
	dir, name, err := copyTarget(exists, isDir, from, to)
	if err != nil {
		return err
	}
	return piped(func(w io.Writer) error { return packFrom(from, name, w) }, func(r io.Reader) error {
		return runner.UnpackPath(root, dir, r)
	})
}

// copyTarget says into which directory the copy goes, under which name.
func copyTarget(exists, isDir bool, from, to string) (dir, name string, err error) {
	base := filepath.Base(filepath.Clean(from))
	switch {
	case isDir && strings.HasSuffix(from, "/."):
		return to, ".", nil
	case isDir:
		return to, base, nil
	case !exists && strings.HasSuffix(to, "/"):
		return "", "", fmt.Errorf("%s: no such directory in the volume", to)
	}
	clean := path.Clean("/" + to)
	return path.Dir(clean), path.Base(clean), nil
}

// piped runs who writes beside who reads, and waits for both.
func piped(write func(w io.Writer) error, read func(r io.Reader) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := write(w)
		w.CloseWithError(err)
		done <- err
	}()
	err := read(r)
	r.CloseWithError(io.ErrClosedPipe) // ends a writer to whom nobody listens
	if werr := <-done; err == nil {
		err = werr
	}
	return err
}
