package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// zfsDriver keeps each snapshot as a clone of its chain's base. All datasets are
// children of the one that the store is on, are named for the store, and are
// mounted in the store's folder zfs.
type zfsDriver struct {
	flat
	sets *datasets
}

func newZFS(s *layerstore.Store) Driver {
	sets := &datasets{s: s}
	return &zfsDriver{sets: sets, flat: flat{
		s: s, name: "zfs", clones: true, bases: sets,
		treeOf: func(ctx context.Context, n *layerstore.Snapshot) (string, error) { return sets.mounted(ctx, n.ID) },
	}}
}

func (d *zfsDriver) Probe() Probe {
	p := Probe{Found: []string{d.s.Root() + " is on " + backing(d.s.Root()), idsFound(d.s)}}
	if p.Missing = d.unable(); p.Missing == "" {
		parent, err := d.sets.parent(context.Background())
		if err != nil {
			p.Missing = err.Error()
		} else {
			p.Found = append(p.Found, "the store is on the dataset "+parent)
		}
	}
	p.OK = p.Missing == ""
	return p
}

func (d *zfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	if err := d.collect(ctx); err != nil && ctx.Err() == nil {
		d.s.Warn("datasets that nothing needs stay for now: " + err.Error())
	}
	n.Driver = d.name
	// What is made stays needed until the snapshot, which mentions it, is there.
	err := d.sets.withBase(ctx, n.Layers, func(zfs zfsCommand, prefix, base string) (err error) {
		made := ""
		n, err = st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
			made = prefix + n.ID
			return zfs.do(ctx, "clone", "-o", "mountpoint="+d.sets.place(n.ID), base+"@base", made)
		})
		if err != nil && made != "" {
			_ = zfs.destroy(context.WithoutCancel(ctx), made) // else the next command collects it
		}
		return err
	})
	return n, err
}

func (d *zfsDriver) Remove(ctx context.Context, n layerstore.Snapshot) error {
	parent, err := d.sets.parent(ctx)
	if err != nil {
		return err
	}
	use, err := takeUse(&n)
	if err != nil {
		return err
	}
	defer use.release()
	if err := d.take(ctx, n, d.sets.prefix(parent)+n.ID); err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	return d.collect(ctx)
}

// take unmounts the dataset before the snapshot vanishes, so that one that is in
// use stays with it, and destroys it after that: no snapshot that can be seen has
// lost its files, whenever this is killed.
func (d *zfsDriver) take(ctx context.Context, n layerstore.Snapshot, name string) error {
	guard, err := takeLock(ctx, d.sets.guard(), unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer guard.release()
	zfs := zfsCommand{[]*os.File{guard.f}}
	if d.sets.isMounted(n.ID) {
		if err := zfs.patiently(ctx, "unmount", name); err != nil {
			return err
		}
	}
	if err := d.s.RemoveSnapshot(n.ID); err != nil {
		return err
	}
	if !zfs.exists(ctx, name) {
		return nil
	}
	if err := zfs.destroy(ctx, name); err != nil {
		d.s.Warn("the dataset of a removed snapshot stays for a later command: " + err.Error())
	}
	return nil
}

// place is where a dataset is mounted.
func (z *datasets) place(id string) string { return filepath.Join(z.s.Root(), "zfs", id) }

func sameFileSystem(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Stat(a, &x) == nil && unix.Stat(b, &y) == nil && x.Dev == y.Dev
}
