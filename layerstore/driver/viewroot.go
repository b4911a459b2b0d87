package driver

import (
	"context"
	"os"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
)

// A union shows the root of its highest directory. Where that is a layer that
// doesn't tell what the root is like, a view has an empty directory on top that
// is like the root of the layer that does (see likeRoot for snapshots).

// needsRoot tells whether a view of the chain needs such a directory.
func needsRoot(s *layerstore.Store, chain []layerstore.DiffID) bool {
	return len(chain) > 0 && s.RootLayer(chain) != chain[len(chain)-1]
}

// makeRoot makes one in the place dir.
func makeRoot(s *layerstore.Store, dir string, chain []layerstore.DiffID) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	to, err := hostfs.OpenLayer(dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	return withLayer(s, s.RootLayer(chain), func(layer int) error { return copyRoot(to, layer) })
}

// roots keeps those of kernel mounts, which nobody's stage outlives.
func roots(s *layerstore.Store) *folder {
	return &folder{
		s: s, name: "roots", vol: plainDirs{s},
		fill: func(_ context.Context, dir string, chain, _ []layerstore.DiffID) error {
			return makeRoot(s, dir, chain)
		},
	}
}

// withRoot calls do with the directories of a view, the highest first.
func withRoot(ctx context.Context, s *layerstore.Store, chain []layerstore.DiffID, do func(lowers []string) error) error {
	lowers := s.LowerDirs(chain)
	if !needsRoot(s, chain) {
		return do(lowers)
	}
	return roots(s).with(ctx, chain, func(dir string) error { return do(append([]string{dir}, lowers...)) })
}
