package driver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"unionfs/layerstore"
)

// vfsDriver keeps each snapshot as a copy of all that its layers make. It needs
// nothing of the file system, and time and space for everything, but where files
// can share their extents. Bases are there to be viewed and compared with.
type vfsDriver struct{ flat }

func newVFS(s *layerstore.Store) Driver {
	return &vfsDriver{flat{s: s, name: "vfs", bases: &folder{s: s, name: "vfs", vol: plainDirs{s}}}}
}

func (d *vfsDriver) Probe() Probe {
	p := Probe{Found: []string{idsFound(d.s)}}
	p.Missing = d.unable()
	p.OK = p.Missing == ""
	return p
}

func (d *vfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	n.Driver = d.name
	return st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		if err := (plainDirs{}).make(treeIn(n.Dir())); err != nil {
			return err
		}
		return fill(ctx, d.s, treeIn(n.Dir()), n.Layers, n.Layers)
	})
}

func (d *vfsDriver) Remove(ctx context.Context, n layerstore.Snapshot) error {
	// The stage that the tree is in removes it.
	if err := d.take(&n, func(string) error { return nil }); err != nil {
		return err
	}
	return d.collect(ctx)
}

// plainDirs are directories as any file system has them.
type plainDirs struct{ s *layerstore.Store }

func (plainDirs) make(dir string) error { return os.Mkdir(dir, 0o700) }

func (plainDirs) derive(string, string) error { return errNoDerive }

func (plainDirs) publish(dir, place string) error {
	err := os.Rename(dir, place)
	if err != nil && exists(place) {
		return nil
	}
	if err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(place))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

// remove makes a directory vanish at once and then removes its files.
func (p plainDirs) remove(dir string) error {
	st, err := p.s.Begin()
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
