package driver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// datasets keep bases. One is whole when it has its zfs snapshot "base"; a
// dataset of this store that nothing mentions was left by a killed command.
type datasets struct{ s *layerstore.Store }

// parent is the dataset that the store is on.
func (z *datasets) parent(ctx context.Context) (string, error) {
	rows, err := zfsCommand{}.list(ctx, "name,mountpoint")
	if err != nil {
		return "", err
	}
	root, err := filepath.EvalSymlinks(z.s.Root())
	if err != nil {
		return "", err
	}
	best, where := "", ""
	for _, row := range rows {
		name, at := row[0], row[1]
		if (at == "/" || root == at || strings.HasPrefix(root, at+"/")) && len(at) > len(where) {
			best, where = name, at
		}
	}
	if best == "" || !sameFileSystem(where, root) {
		return "", fmt.Errorf("%s is on %s and on no dataset: make one (zfs create -o mountpoint=DIR POOL/NAME), and put the store there with --root", root, backing(root))
	}
	return best, nil
}

// mounted answers where a dataset is mounted, and mounts one that isn't, as after
// a start of the machine: what its place shows without it is a tree from which
// somebody has removed everything.
func (z *datasets) mounted(ctx context.Context, id string) (string, error) {
	place := z.place(id)
	if z.isMounted(id) {
		return place, nil
	}
	parent, err := z.parent(ctx)
	if err != nil {
		return "", err
	}
	// Somebody else may be doing the same.
	if err := (zfsCommand{}).do(ctx, "mount", z.prefix(parent)+id); err != nil && !z.isMounted(id) {
		return "", err
	}
	return place, nil
}

// isMounted tells whether a dataset is in its place.
func (z *datasets) isMounted(id string) bool {
	var below, at unix.Stat_t
	return unix.Stat(z.place(""), &below) == nil && unix.Lstat(z.place(id), &at) == nil && at.Dev != below.Dev
}

// prefix begins the names of this store's datasets.
func (z *datasets) prefix(parent string) string {
	sum := sha256.Sum256([]byte(z.s.Root()))
	return parent + "/unionfs-" + hex.EncodeToString(sum[:4]) + "-"
}

// guard is what users of datasets share and the collector has alone.
func (z *datasets) guard() string { return z.place("lock") }

func (z *datasets) with(ctx context.Context, chain []layerstore.DiffID, do func(dir string) error) error {
	return z.withBase(ctx, chain, func(zfsCommand, string, string) error {
		dir, err := z.mounted(ctx, layerstore.ChainOf(chain).Hex())
		if err != nil {
			return err
		}
		return do(dir)
	})
}

// withBase calls do with the prefix of names and the dataset that a chain makes,
// and with the command that keeps both from being collected.
func (z *datasets) withBase(ctx context.Context, chain []layerstore.DiffID, do func(zfs zfsCommand, prefix, base string) error) error {
	if len(chain) == 0 {
		return errNoLayers
	}
	parent, err := z.parent(ctx)
	if err != nil {
		return err
	}
	guard, err := takeLock(ctx, z.guard(), unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer guard.release()
	zfs := zfsCommand{[]*os.File{guard.f}}
	base := z.prefix(parent) + layerstore.ChainOf(chain).Hex()
	if !zfs.exists(ctx, base+"@base") {
		if err := z.makeAlone(ctx, zfs, base, chain); err != nil {
			return err
		}
	}
	return do(zfs, z.prefix(parent), base)
}

// makeAlone makes a base while others who need it wait.
func (z *datasets) makeAlone(ctx context.Context, zfs zfsCommand, name string, chain []layerstore.DiffID) error {
	place := z.place(layerstore.ChainOf(chain).Hex())
	alone, err := takeLock(ctx, place+lockSuffix, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer alone.release()
	zfs.under = append(slices.Clone(zfs.under), alone.f)
	if zfs.exists(ctx, name+"@base") {
		return nil
	}
	if zfs.exists(ctx, name) { // half made, by a command that was killed
		if err := zfs.destroy(ctx, name); err != nil {
			return err
		}
	}
	st, err := z.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Hold(nil, chain); err != nil {
		return err
	}
	err = zfs.do(ctx, "create", "-o", "mountpoint="+place, name)
	if err == nil {
		err = fill(ctx, z.s, place, chain, chain)
	}
	if err == nil {
		err = zfs.do(ctx, "snapshot", name+"@base")
	}
	if err != nil {
		_ = zfs.destroy(context.WithoutCancel(ctx), name) // else the next command collects it
	}
	return err
}

func (z *datasets) collect(ctx context.Context) error {
	if !isDir(z.place("")) {
		return nil
	}
	parent, err := z.parent(ctx)
	if err != nil {
		return err
	}
	guard, err := tryLock(z.guard(), unix.LOCK_EX)
	if err == unix.EWOULDBLOCK {
		return nil
	}
	if err != nil {
		return err
	}
	defer guard.release()
	zfs := zfsCommand{[]*os.File{guard.f}}
	needed, err := neededDatasets(z.s)
	if err != nil {
		return err
	}
	rows, err := zfs.list(ctx, "name,origin")
	if err != nil {
		return err
	}
	// Clones go before what they are clones of.
	slices.SortStableFunc(rows, func(a, b []string) int { return rank(a[1]) - rank(b[1]) })
	for _, row := range rows {
		id, ours := strings.CutPrefix(row[0], z.prefix(parent))
		if !ours || needed[id] || mountedWith(id).there() {
			continue
		}
		if err := zfs.destroy(ctx, row[0]); err != nil {
			if ctx.Err() != nil {
				return err
			}
			z.s.Warn("a dataset that nothing needs stays for a later command: " + err.Error())
		}
	}
	return z.sweep(needed)
}

// sweep removes the mount points and locks of datasets that are gone. A mount
// point that has something on it stays, with an error that says nothing new.
func (z *datasets) sweep(needed map[string]bool) error {
	entries, err := os.ReadDir(z.place(""))
	for _, e := range entries {
		path := z.place(e.Name())
		if !needed[strings.TrimSuffix(e.Name(), lockSuffix)] && path != z.guard() {
			_ = os.Remove(path)
		}
	}
	return err
}

// rank is lower for a dataset with an origin: a clone.
func rank(origin string) int {
	if origin == "-" {
		return 1
	}
	return 0
}

func neededDatasets(s *layerstore.Store) (map[string]bool, error) {
	needed, err := neededBases(s, "zfs", true)
	if err != nil {
		return nil, err
	}
	snapshots, err := s.Snapshots()
	for _, n := range snapshots {
		needed[n.ID] = needed[n.ID] || n.Driver == "zfs"
	}
	return needed, err
}
