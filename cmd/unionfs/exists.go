package main

import (
	"errors"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/runner"
	"unionfs/volumes"
)

// existsCommand says with its exit status alone whether there is something: 0 or 1,
// as podman's does.
func existsCommand(what, short string, look func(cmd *cobra.Command, name string) (bool, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "exists " + what,
		Short: short,
		Long:  short + ": the exit status is 0 when it does, and 1 when it doesn't.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ok, err := look(cmd, args[0])
			if err == nil && !ok {
				err = exitWith{1}
			}
			return err
		},
	}
}

func containerExistsCommand(f *storeFlags) *cobra.Command {
	return existsCommand("CONTAINER", "Tell whether a container exists", func(_ *cobra.Command, name string) (bool, error) {
		h, err := f.containers()
		if err != nil {
			return false, err
		}
		_, err = h.Runner.Find(name)
		return unlessUnknown[*runner.UnknownError](err)
	})
}

func imageExistsCommand(f *storeFlags) *cobra.Command {
	return existsCommand("IMAGE", "Tell whether an image exists", func(_ *cobra.Command, name string) (bool, error) {
		s, err := f.open()
		if err != nil {
			return false, err
		}
		_, err = s.Find(name)
		return unlessUnknown[*layerstore.UnknownImageError](err)
	})
}

func volumeExistsCommand(f *storeFlags) *cobra.Command {
	return existsCommand("VOLUME", "Tell whether a volume exists", func(cmd *cobra.Command, name string) (bool, error) {
		h, err := f.containers()
		if err != nil {
			return false, err
		}
		_, err = h.Runner.Volumes.Get(cmd.Context(), name)
		return unlessUnknown[*volumes.NotFoundError](err)
	})
}

// unlessUnknown tells an error that says that there is nothing from others.
func unlessUnknown[Unknown error](err error) (bool, error) {
	var unknown Unknown
	if errors.As(err, &unknown) {
		return false, nil
	}
	return err == nil, err
}
