package layerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"unionfs/fs/hostfs"
	"unionfs/fs/index"
)

// writeIndex puts a layer's index beside its tree. Unions do without one where
// the tree holds what an index can't express.
func writeIndex(dir string) error {
	tree, err := hostfs.OpenLayer(filepath.Join(dir, "diff"))
	if err != nil {
		return err
	}
	defer hostfs.Close(tree)
	place := filepath.Join(dir, "index")
	f, err := os.OpenFile(place+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	err = index.Write(f, tree)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	switch {
	case errors.Is(err, index.ErrNotPlain):
		return nil
	case err != nil:
		return fmt.Errorf("the layer's index: %w", err)
	}
	return os.Rename(f.Name(), place)
}

// checkIndex tells what is wrong with a layer's index. One that isn't there is
// no fault.
func checkIndex(dir string) error {
	tree, err := hostfs.OpenLayer(filepath.Join(dir, "diff"))
	if err != nil {
		return err
	}
	defer hostfs.Close(tree)
	f, err := os.Open(filepath.Join(dir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	x, err := index.Open(int(f.Fd()), tree)
	if err != nil {
		return err
	}
	defer x.Close()
	return x.Check()
}
