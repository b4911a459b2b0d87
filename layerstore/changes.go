package layerstore

import (
	"archive/tar"
	"context"
	"io"
	"slices"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
)

// OpenLayers opens the trees of a chain as layertar reads them: the chain's
// last layer is Upper (-1 when there is none) and what is below it Lowers. done
// closes them.
func (s *Store) OpenLayers(chain []DiffID) (src layertar.Source, done func(), err error) {
	src = layertar.Source{Upper: -1, Work: -1, IDs: s.IDs()}
	var open []int
	done = func() {
		for _, fd := range open {
			hostfs.Close(fd)
		}
	}
	for i, id := range Stack(chain) {
		fd, err := hostfs.OpenLayer(s.LayerDir(id))
		if err != nil {
			done()
			return src, func() {}, err
		}
		open = append(open, fd)
		if i == 0 {
			src.Upper = fd
			continue
		}
		src.Lowers = append(src.Lowers, fd)
		src.LowerLinks = append(src.LowerLinks, s.Links(id))
	}
	return src, done, nil
}

// Links answers a layer's hard links when they are asked for, as
// layertar.Source has it.
func (s *Store) Links(id DiffID) func() ([][]string, error) {
	return func() ([][]string, error) {
		info, err := s.Layer(id)
		return info.Links, err
	}
}

// LayerChanges lists what the last layer of a chain adds to, changes in and
// removes from those below it.
func (s *Store) LayerChanges(ctx context.Context, chain []DiffID) ([]layertar.Change, error) {
	src, done, err := s.OpenLayers(chain)
	if err != nil {
		return nil, err
	}
	defer done()
	return layertar.Changes(ctx, src)
}

// Export writes the root file system that a chain of layers makes, as a plain
// tar.
func (s *Store) Export(ctx context.Context, w io.Writer, chain []DiffID) error {
	if len(chain) == 0 {
		return tar.NewWriter(w).Close()
	}
	src, done, err := s.OpenLayers(chain)
	if err != nil {
		return err
	}
	defer done()
	src.Root = slices.Index(Stack(chain), s.RootLayer(chain)) // Upper is none of Lowers
	return layertar.PackMerged(ctx, w, src)
}
