package driver

import (
	"context"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// btrfsDriver keeps each snapshot as a subvolume that shares all blocks with its
// chain's base until they are changed. Bases are read-only subvolumes.
type btrfsDriver struct{ flat }

func newBtrfs(s *layerstore.Store) Driver {
	return &btrfsDriver{flat{s: s, name: "btrfs", clones: true, bases: &folder{s: s, name: "btrfs", vol: subvolumes{}, images: true}}}
}

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

// try makes a subvolume and a snapshot of it, and deletes both.
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
	vol, snapshot := filepath.Join(dir, "volume"), filepath.Join(dir, "snapshot")
	for _, err := range []error{createSubvolume(vol), snapshotSubvolume(snapshot, vol, 0), deleteSubvolume(snapshot), deleteSubvolume(vol)} {
		if err != nil {
			return err.Error()
		}
	}
	return ""
}

func (d *btrfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	n.Driver = d.name
	return st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		return d.bases.with(ctx, n.Layers, func(base string) error {
			return snapshotSubvolume(treeIn(n.Dir()), base, 0)
		})
	})
}

func (d *btrfsDriver) Remove(ctx context.Context, n layerstore.Snapshot) error {
	if err := d.take(&n, deleteSubvolume); err != nil {
		return err
	}
	return d.collect(ctx)
}

// subvolumes are the directories that btrfs can snapshot.
type subvolumes struct{}

func (subvolumes) make(dir string) error         { return createSubvolume(dir) }
func (subvolumes) derive(dir, from string) error { return snapshotSubvolume(dir, from, 0) }
func (subvolumes) remove(dir string) error       { return deleteSubvolume(dir) }

// publish makes a read-only snapshot: it appears at once, and btrfs writes all
// that it has before it.
func (subvolumes) publish(dir, place string) error {
	if err := snapshotSubvolume(place, dir, btrfsReadOnly); err != nil && !exists(place) {
		return err
	}
	return deleteSubvolume(dir)
}
