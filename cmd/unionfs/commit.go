package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
	"unionfs/runner"
	"unionfs/runner/build"
)

func commitCommand(f *storeFlags) *cobra.Command {
	var o commitOptions
	cmd := &cobra.Command{
		Use:   "commit CONTAINER|SNAPSHOT [NAME]",
		Short: "Make an image of a container's or snapshot's changes",
		Long: `Make the changes in a container or snapshot one more layer on top of the image that it was
made from. What is committed is what is in the snapshot's upper directory: the
unchanged rest isn't read. A container of a directory (--rootfs) becomes an image of
one layer, with all that it shows. The new image's id is printed.

The image's config is the container's: its command, its environment, its user and so
on. --change alters it by an instruction of a Dockerfile: CMD, ENTRYPOINT, ENV,
EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR. A container
that runs stands still until its changes are read; with --pause=false, and where it
can't be paused (ordinary users without a cgroup of their own), it goes on, and files
of different moments may come together.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.insist = cmd.Flags().Changed("pause")
			names, err := normalized(args[1:])
			if err != nil {
				return err
			}
			o.Names = names
			h, c, err := f.perhapsContainer(args[0])
			if err != nil {
				return err
			}
			img, err := h.commit(cmd.Context(), args[0], c, o)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), img.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&o.Author, "author", "a", "", "who made it")
	cmd.Flags().StringVarP(&o.Message, "message", "m", "", "a word about it, for the history")
	cmd.Flags().BoolVarP(&o.pause, "pause", "p", true, "pause the container meanwhile")
	addChange(cmd, &o.changes)
	return cmd
}

func addChange(cmd *cobra.Command, changes *[]string) {
	cmd.Flags().StringArrayVarP(changes, "change", "c", nil, "an instruction of a Dockerfile that alters the config, as in 'CMD [\"/bin/sh\"]'; may be repeated")
}

// commitOptions are the words of commit.
type commitOptions struct {
	layerstore.CommitOptions
	changes []string
	pause   bool
	insist  bool // that it is paused
}

// commit makes an image of a snapshot, which is that of container c unless c is nil.
func (h *house) commit(ctx context.Context, what string, c *runner.Container, o commitOptions) (layerstore.Image, error) {
	if c != nil {
		if o.pause {
			goOn, err := h.standStill(ctx, c)
			if err != nil && o.insist {
				return layerstore.Image{}, fmt.Errorf("container %s can't be paused: %w: commit it as it runs with --pause=false", what, err)
			}
			defer goOn()
		}
		if err := h.Sync(ctx, c); err != nil {
			return layerstore.Image{}, err
		}
	}
	return commitSnapshot(ctx, h.shop, what, c, o)
}

func commitSnapshot(ctx context.Context, s *shop, what string, c *runner.Container, o commitOptions) (layerstore.Image, error) {
	n, err := s.Snapshot(what)
	var unknown *layerstore.UnknownSnapshotError
	if errors.As(err, &unknown) {
		err = unknownAs(nil, what, "container", "snapshot")
	}
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
	if err := o.configure(s, base, c); err != nil {
		return layerstore.Image{}, err
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
	return st.Commit(base, layer, o.CommitOptions)
}

// configure settles what the image's config becomes.
func (o *commitOptions) configure(s *shop, base *layerstore.Found, c *runner.Container) error {
	var config v1.Config
	if base != nil {
		old, err := s.Config(base.ID)
		if err != nil {
			return err
		}
		config = old.Config
	}
	var err error
	if c != nil {
		if config, err = c.Committed(config); err != nil {
			return err
		}
	}
	if config, err = build.Change(config, o.changes); err != nil {
		return usageError{err.Error()}
	}
	o.Config = func(to *v1.Config) { *to = config }
	return nil
}
