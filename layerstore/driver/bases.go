package driver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"unionfs/layerstore"
)

// A base is the tree that a chain makes, kept once for each chain and driver in
// the store's folder chains/DRIVER/CHAIN. It is made in a stage and never
// changed, and goes when no snapshot of the driver has the chain any more.

// basePath is where a chain's base is, if it is there.
func (f flat) basePath(chain []layerstore.DiffID) string {
	return filepath.Join(f.s.Root(), "chains", f.name, layerstore.ChainOf(chain).Hex())
}

// base answers a chain's base, making it with make in a directory that isn't
// there yet. Two processes that do so at once keep the first.
func (f flat) base(ctx context.Context, st *layerstore.Stage, chain []layerstore.DiffID, make func(dir string) error) (string, error) {
	place := f.basePath(chain)
	if _, err := os.Lstat(place); err == nil {
		return place, nil
	}
	temp, err := st.TempDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(temp, "base")
	if err := make(dir); err != nil {
		return "", err
	}
	if err := f.fill(ctx, dir, chain); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
		return "", err
	}
	if err := os.Rename(dir, place); err != nil {
		if _, serr := os.Lstat(place); serr != nil {
			return "", err
		}
	}
	return place, nil
}

// plainDir makes a base's directory on any file system.
func plainDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755) // whatever the umask
}

// withBase calls do with a chain's base.
func (f flat) withBase(ctx context.Context, chain []layerstore.DiffID, make func(dir string) error, do func(dir string) error) error {
	st, err := f.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Hold(nil, chain); err != nil {
		return err
	}
	dir, err := f.base(ctx, st, chain, make)
	if err != nil {
		return err
	}
	return do(dir)
}

// collectBases removes the bases that no snapshot of the driver began as, and
// that aren't mounted, with remove.
func (f flat) collectBases(remove func(dir string) error) error {
	snapshots, err := f.s.Snapshots()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, n := range snapshots {
		if n.Driver == f.name {
			needed[layerstore.ChainOf(n.Layers).Hex()] = true
		}
	}
	folder := filepath.Join(f.s.Root(), "chains", f.name)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if needed[e.Name()] || mountedWith(e.Name()) != "" {
			continue
		}
		if err := remove(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeDir makes a directory vanish at once and then removes its files.
func (f flat) removeDir(dir string) error {
	st, err := f.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	temp, err := st.TempDir()
	if err != nil {
		return err
	}
	err = os.Rename(dir, filepath.Join(temp, "dead"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // by somebody else
	}
	return err
}
