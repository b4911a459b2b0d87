package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"unionfs/layerstore/driver"
)

func exportCommand(f *storeFlags) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export CONTAINER|SNAPSHOT|IMAGE",
		Short: "Write a root file system as a plain tar",
		Long: `Write the root file system of a snapshot or of an image, all layers merged, as a
tar to standard output or to a file. unionfs import reads it back.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.settled(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return toFile(cmd.OutOrStdout(), file, func(w io.Writer) error {
				return export(cmd.Context(), s, args[0], w)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "the file to write (default: standard output)")
	return cmd
}

func export(ctx context.Context, s *shop, what string, w io.Writer) error {
	n, serr := s.Snapshot(what)
	if serr == nil {
		d, err := driver.Of(n, s.Store)
		if err != nil {
			return err
		}
		return d.Export(ctx, n, w)
	}
	img, err := s.Find(what)
	if err != nil {
		return unknownAs(err, what, "container", "snapshot", "image")
	}
	return s.Export(ctx, w, img.Layers)
}

// toFile writes to a file that is there only when it is whole, or to stdout.
func toFile(stdout io.Writer, file string, write func(w io.Writer) error) error {
	if file == "" || file == "-" {
		if f, ok := stdout.(*os.File); ok && isTerminal(f) {
			return usagef("refusing to write an archive to a terminal: use -o FILE, or redirect")
		}
		return buffered(stdout, write)
	}
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(part) // gone already when all went well
	err = buffered(f, write)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.Rename(part, file)
}

func buffered(w io.Writer, write func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 256<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
