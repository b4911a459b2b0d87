package driver

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// uppers is what the drivers share that keep changes in an upper directory.
type uppers struct {
	s *layerstore.Store
	// marks is what is written into the uppers.
	marks whiteout.Dialect
}

func (u uppers) prepare(driver string, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	if len(n.Layers) == 0 && n.Base == "" {
		return n, errNoLayers
	}
	if n.Base != "" {
		if err := checkBase(n.Base); err != nil {
			return n, err
		}
	}
	n.Driver = driver
	return st.NewSnapshot(n, func(n *layerstore.Snapshot) error {
		for _, dir := range [...]string{n.Upper(), n.Work()} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				return err
			}
		}
		return u.likeRoot(n)
	})
}

// likeRoot gives upper's root the metadata that the layers say: a union shows
// the root of its upper.
func (u uppers) likeRoot(n *layerstore.Snapshot) error {
	if n.Base != "" {
		return adornLike(n.Upper(), n.Base)
	}
	root, err := hostfs.OpenLayer(u.s.LayerDir(u.s.RootLayer(n.Layers)))
	if err != nil {
		return err
	}
	defer hostfs.Close(root)
	upper, err := hostfs.OpenLayer(n.Upper())
	if err != nil {
		return err
	}
	defer hostfs.Close(upper)
	return copyRoot(upper, root)
}

// copyRoot copies a directory's owner, mode, attributes and times, without
// marks that are about its own layer.
func copyRoot(to, from int) error {
	var st unix.Statx_t
	if err := hostfs.Statx(from, "", &st); err != nil {
		return err
	}
	if err := hostfs.Chown(to, "", st.Uid, st.Gid); err != nil {
		return err
	}
	names, err := hostfs.ListxattrAll(from, "")
	if err != nil && err != unix.EOPNOTSUPP {
		return err
	}
	for _, name := range names {
		if _, shown := whiteout.Unescape(name); !shown && !whiteout.IsOverride(name) {
			continue
		}
		value, err := hostfs.GetxattrAll(from, "", name)
		if err == nil {
			err = hostfs.Setxattr(to, "", name, value, 0)
		}
		if err != nil {
			return fmt.Errorf("attribute %s of the root: %w", name, err)
		}
	}
	if err := hostfs.Chmod(to, "", uint32(st.Mode)&0o7777); err != nil {
		return err
	}
	return hostfs.Utimes(to, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

// source opens a snapshot's directories.
func (u uppers) source(n *layerstore.Snapshot) (src layertar.Source, done func(), err error) {
	flush(n)
	var open []int
	done = func() {
		for _, fd := range open {
			hostfs.Close(fd)
		}
	}
	dirs := append([]string{n.Upper(), n.Work()}, lowersOf(u.s, n)...)
	for _, dir := range dirs {
		fd, err := hostfs.OpenLayer(dir)
		if err != nil {
			done()
			return src, nil, fmt.Errorf("snapshot %s: %w", n.ID, err)
		}
		open = append(open, fd)
	}
	src = layertar.Source{Upper: open[0], Work: open[1], Lowers: open[2:], IDs: u.s.IDs(), Marks: u.marks}
	for _, id := range u.s.Lowers(n.Layers) {
		src.LowerLinks = append(src.LowerLinks, u.s.Links(id))
	}
	return src, done, nil
}

// lowersOf are the directories below a snapshot's upper, the highest first.
func lowersOf(s *layerstore.Store, n *layerstore.Snapshot) []string {
	lowers := s.LowerDirs(n.Layers)
	if n.Base != "" {
		lowers = append(lowers, n.Base)
	}
	return lowers
}

func (u uppers) Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	src, done, err := u.source(&n)
	if err != nil {
		return err
	}
	defer done()
	return layertar.Pack(ctx, w, src)
}

func (u uppers) Changes(ctx context.Context, n layerstore.Snapshot) ([]layertar.Change, error) {
	src, done, err := u.source(&n)
	if err != nil {
		return nil, err
	}
	defer done()
	return layertar.Changes(ctx, src)
}

func (u uppers) Export(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	src, done, err := u.source(&n)
	if err != nil {
		return err
	}
	defer done()
	return layertar.PackMerged(ctx, w, src)
}

func (u uppers) Usage(n layerstore.Snapshot) (int64, error) {
	return bytesBelow(n.Upper())
}

func (u uppers) Remove(_ context.Context, n layerstore.Snapshot) error {
	use, err := takeUse(&n)
	if err != nil {
		return err
	}
	defer use.release()
	return u.s.RemoveSnapshot(n.ID)
}
