package driver

import (
	"context"
	"io"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// vfsDriver keeps each snapshot as a copy of all that its layers make. It needs
// nothing of the file system, and time and space for everything.
type vfsDriver struct{ flat }

func newVFS(s *layerstore.Store) Driver { return &vfsDriver{flat{s: s, name: "vfs"}} }

func (d *vfsDriver) Probe() Probe {
	p := Probe{Found: []string{idsFound(d.s)}}
	p.Missing = d.unable()
	p.OK = p.Missing == ""
	return p
}

func (d *vfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	n.Driver = d.name
	return st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		if err := plainDir(d.tree(n)); err != nil {
			return err
		}
		return d.fill(ctx, d.tree(n), n.Layers)
	})
}

func (d *vfsDriver) View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (m Mount, err error) {
	o.ReadOnly = true
	err = d.withBase(ctx, chain, plainDir, func(dir string) error {
		m, err = bind(dir, target, o)
		return err
	})
	return m, err
}

func (d *vfsDriver) Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	return d.diff(ctx, &n, w, plainDir)
}

func (d *vfsDriver) Changes(ctx context.Context, n layerstore.Snapshot) ([]layertar.Change, error) {
	return d.changes(ctx, &n, plainDir)
}

func (d *vfsDriver) Remove(_ context.Context, n layerstore.Snapshot) error {
	return d.remove(&n, func(string) error { return nil }, d.removeDir)
}
