package driver

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
)

var errNoLayers = errors.New("a snapshot needs an image: there is no layer to begin with")

// fill puts the layers rest on top of what dir has, so that it becomes what the
// whole chain makes, and makes that last.
func fill(ctx context.Context, s *layerstore.Store, dir string, chain, rest []layerstore.DiffID) error {
	if len(chain) == 0 {
		return errNoLayers
	}
	tree, err := hostfs.OpenLayer(dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(tree)
	a := newApplier(ctx, tree, s.Warn)
	for _, id := range rest {
		if err := withLayer(s, id, a.apply); err != nil {
			return fmt.Errorf("layer %s: %w", id, err)
		}
	}
	root := s.RootLayer(chain)
	if err := withLayer(s, root, func(layer int) error { return a.adorn(layer, "", tree, "", false) }); err != nil {
		return fmt.Errorf("the root of layer %s: %w", root, err)
	}
	return settle(tree)
}

func withLayer(s *layerstore.Store, id layerstore.DiffID, do func(layer int) error) error {
	fd, err := hostfs.OpenLayer(s.LayerDir(id))
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return do(fd)
}

// settle makes all that was written to a tree's file system last: the name that it
// is going to get must not reach the disk before its files.
func settle(tree int) error {
	fd, err := hostfs.Reopen(tree, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return hostfs.Syncfs(fd)
}
