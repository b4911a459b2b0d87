package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// zfsDriver keeps each snapshot as a clone of its chain's base. All datasets are
// children of the one that the store is on, are named for the store, and are
// mounted in the store's folder zfs. A base is whole when it has its snapshot
// "base"; a dataset that nothing mentions was left by a killed command.
type zfsDriver struct {
	flat
	zfs zfsCommand
}

func newZFS(s *layerstore.Store) Driver {
	d := &zfsDriver{flat: flat{s: s, name: "zfs"}}
	d.flat.treeOf = func(n *layerstore.Snapshot) string { return d.place(n.ID) }
	return d
}

// place is where a dataset is mounted.
func (d *zfsDriver) place(id string) string { return filepath.Join(d.s.Root(), "zfs", id) }

func (d *zfsDriver) Probe() Probe {
	p := Probe{Found: []string{d.s.Root() + " is on " + backing(d.s.Root()), idsFound(d.s)}}
	if p.Missing = d.unable(); p.Missing == "" {
		parent, err := d.parent()
		if err != nil {
			p.Missing = err.Error()
		} else {
			p.Found = append(p.Found, "the store is on the dataset "+parent)
		}
	}
	p.OK = p.Missing == ""
	return p
}

// parent is the dataset that the store is on.
func (d *zfsDriver) parent() (string, error) {
	rows, err := d.zfs.list("name,mountpoint")
	if err != nil {
		return "", err
	}
	best, where := "", ""
	for _, row := range rows {
		name, at := row[0], row[1]
		if (at == "/" || d.s.Root() == at || strings.HasPrefix(d.s.Root(), at+"/")) && len(at) > len(where) {
			best, where = name, at
		}
	}
	if best == "" || !sameFileSystem(where, d.s.Root()) {
		return "", fmt.Errorf("%s is on %s and on no dataset: make one (zfs create -o mountpoint=DIR POOL/NAME), and put the store there with --root", d.s.Root(), backing(d.s.Root()))
	}
	return best, nil
}

func sameFileSystem(a, b string) bool {
	var x, y unix.Stat_t
	return unix.Stat(a, &x) == nil && unix.Stat(b, &y) == nil && x.Dev == y.Dev
}

// prefix begins the names of this store's datasets.
func (d *zfsDriver) prefix(parent string) string {
	sum := sha256.Sum256([]byte(d.s.Root()))
	return parent + "/unionfs-" + hex.EncodeToString(sum[:4]) + "-"
}

// guard keeps datasets from being collected while a command makes some.
func (d *zfsDriver) guard(how int) (release func(), err error) {
	if err := os.MkdirAll(d.place(""), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.place("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

func (d *zfsDriver) Prepare(ctx context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	parent, err := d.parent()
	if err != nil {
		return n, err
	}
	if err := d.collect(ctx, parent); err != nil {
		return n, err
	}
	release, err := d.guard(unix.LOCK_SH)
	if err != nil {
		return n, err
	}
	defer release()
	n.Driver = d.name
	made := ""
	n, err = st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		base, err := d.base(ctx, parent, n.Layers)
		if err != nil {
			return err
		}
		made = d.prefix(parent) + n.ID
		return d.zfs.do(ctx, "clone", "-o", "mountpoint="+d.place(n.ID), base+"@base", made)
	})
	if err != nil && made != "" {
		_ = d.zfs.destroy(context.WithoutCancel(ctx), made) // else the next command collects it
	}
	return n, err
}

// base answers the dataset that a chain makes, with its snapshot "base". One at
// a time makes it.
func (d *zfsDriver) base(ctx context.Context, parent string, chain []layerstore.DiffID) (string, error) {
	id := layerstore.ChainOf(chain).Hex()
	name := d.prefix(parent) + id
	alone, err := d.lockBase(id)
	if err != nil {
		return "", err
	}
	defer alone.Close()
	if d.zfs.exists(ctx, name+"@base") {
		return name, nil
	}
	if d.zfs.exists(ctx, name) { // half made
		if err := d.zfs.destroy(ctx, name); err != nil {
			return "", err
		}
	}
	if err := d.zfs.do(ctx, "create", "-o", "mountpoint="+d.place(id), name); err != nil {
		return "", err
	}
	if err := d.fill(ctx, d.place(id), chain); err != nil {
		_ = d.zfs.destroy(context.WithoutCancel(ctx), name) // else the next command collects it
		return "", err
	}
	return name, d.zfs.do(ctx, "snapshot", name+"@base")
}

func (d *zfsDriver) lockBase(id string) (*os.File, error) {
	f, err := os.OpenFile(d.place(id+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// withBaseOf calls do with the chain's base.
func (d *zfsDriver) withBaseOf(ctx context.Context, chain []layerstore.DiffID, do func(dir string) error) error {
	parent, err := d.parent()
	if err != nil {
		return err
	}
	release, err := d.guard(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer release()
	if _, err := d.base(ctx, parent, chain); err != nil {
		return err
	}
	return do(d.place(layerstore.ChainOf(chain).Hex()))
}

func (d *zfsDriver) View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (m Mount, err error) {
	o.ReadOnly = true
	err = d.withBaseOf(ctx, chain, func(dir string) error {
		m, err = bind(dir, target, o)
		return err
	})
	return m, err
}

func (d *zfsDriver) Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	return d.withBaseOf(ctx, n.Layers, func(dir string) error {
		return d.compare(&n, dir, func(base, tree int) error { return layertar.PackDiff(ctx, w, base, tree, d.s.IDs()) })
	})
}

func (d *zfsDriver) Changes(ctx context.Context, n layerstore.Snapshot) (out []layertar.Change, err error) {
	err = d.withBaseOf(ctx, n.Layers, func(dir string) error {
		return d.compare(&n, dir, func(base, tree int) error {
			out, err = layertar.ChangesOf(ctx, base, tree)
			return err
		})
	})
	return out, err
}

func (d *zfsDriver) Remove(ctx context.Context, n layerstore.Snapshot) error {
	parent, err := d.parent()
	if err != nil {
		return err
	}
	use, err := takeUse(&n)
	if err != nil {
		return err
	}
	defer use.release()
	if name := d.prefix(parent) + n.ID; d.zfs.exists(ctx, name) {
		if err := d.zfs.destroy(ctx, name); err != nil {
			return fmt.Errorf("snapshot %s: %w", n.Short(), err)
		}
	}
	if err := d.s.RemoveSnapshot(n.ID); err != nil {
		return err
	}
	return d.collect(ctx, parent)
}

// collect destroys datasets that nothing mentions, unless somebody makes some
// just now.
func (d *zfsDriver) collect(ctx context.Context, parent string) error {
	release, err := d.guard(unix.LOCK_EX | unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return nil // later
	}
	if err != nil {
		return err
	}
	defer release()
	snapshots, err := d.s.Snapshots()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, n := range snapshots {
		if n.Driver == d.name {
			needed[n.ID], needed[layerstore.ChainOf(n.Layers).Hex()] = true, true
		}
	}
	rows, err := d.zfs.list("name")
	if err != nil {
		return err
	}
	for _, row := range rows {
		id, ours := strings.CutPrefix(row[0], d.prefix(parent))
		if !ours || needed[id] || mountedWith(id) != "" {
			continue
		}
		if err := d.zfs.destroy(ctx, row[0]); err != nil {
			return err
		}
		_ = os.Remove(d.place(id))           // the empty mount point
		_ = os.Remove(d.place(id + ".lock")) // of a base
	}
	return nil
}
