package driver

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// btrfsDriver keeps each snapshot as a subvolume that shares all blocks with its
// chain's base until they are changed.
type btrfsDriver struct{ flat }

func newBtrfs(s *layerstore.Store) Driver { return &btrfsDriver{flat{s: s, name: "btrfs"}} }

func (d *btrfsDriver) Probe() Probe {
	p := Probe{Found: []string{d.s.Root() + " is on " + backing(d.s.Root()), idsFound(d.s)}}
	var st unix.Statfs_t
	switch err := unix.Statfs(d.s.Root(), &st); {
	case err != nil:
		p.Missing = fmt.Sprintf("%s: %v", d.s.Root(), err)
	case uint32(st.Type) != unix.BTRFS_SUPER_MAGIC:
		p.Missing = fmt.Sprintf("%s is on %s: put the store on btrfs (mkfs.btrfs, mount, --root)", d.s.Root(), backing(d.s.Root()))
	default:
		if p.Missing = d.unable(); p.Missing == "" {
			p.Missing = d.try()
		}
	}
	p.OK = p.Missing == ""
	return p
}

// try makes a subvolume and deletes it.
func (d *btrfsDriver) try() string {
	st, err := d.s.Begin()
	if err != nil {
		return err.Error()
	}
	defer st.Close()
	dir, err := st.TempDir()
	if err != nil {
		return err.Error()
	}
	path := filepath.Join(dir, "probe")
	if err := createSubvolume(path); err != nil {
		return err.Error()
	}
	if err := deleteSubvolume(path); err != nil {
		_ = os.Remove(path) // an empty one goes this way too
		return err.Error() + ": be root, or mount the file system with user_subvol_rm_allowed"
	}
	return ""
}

func (d *btrfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	n.Driver = d.name
	return st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		base, err := d.base(ctx, st, n.Layers, createSubvolume)
		if err != nil {
			return err
		}
		return snapshotSubvolume(d.tree(n), base)
	})
}

func (d *btrfsDriver) View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (m Mount, err error) {
	o.ReadOnly = true
	err = d.withBase(ctx, chain, createSubvolume, func(dir string) error {
		m, err = bind(dir, target, o)
		return err
	})
	return m, err
}

func (d *btrfsDriver) Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	return d.diff(ctx, &n, w, createSubvolume)
}

func (d *btrfsDriver) Changes(ctx context.Context, n layerstore.Snapshot) ([]layertar.Change, error) {
	return d.changes(ctx, &n, createSubvolume)
}

func (d *btrfsDriver) Remove(_ context.Context, n layerstore.Snapshot) error {
	return d.remove(&n, deleteSubvolume, deleteSubvolume)
}
