package driver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// flat is what the drivers share that keep a snapshot as a whole tree of its
// own.
type flat struct {
	s    *layerstore.Store
	name string
	// treeOf says where trees are; nil is the snapshot's own folder.
	treeOf func(n *layerstore.Snapshot) string
}

func (f flat) Name() string { return f.name }

// tree is where a snapshot's files are.
func (f flat) tree(n *layerstore.Snapshot) string {
	if f.treeOf != nil {
		return f.treeOf(n)
	}
	return filepath.Join(n.Dir(), "tree")
}

// fill makes in the empty directory dir what a chain makes.
func (f flat) fill(ctx context.Context, dir string, chain []layerstore.DiffID) error {
	if len(chain) == 0 {
		return errors.New("a snapshot needs an image: there is no layer to begin with")
	}
	fd, err := hostfs.OpenLayer(dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	r, w := io.Pipe()
	go func() { w.CloseWithError(f.s.Export(ctx, w, chain)) }()
	// What is merged holds no marks, so that the codec has nothing to do.
	codec := whiteout.NewCodec(whiteout.FormatOverlay, whiteout.User)
	_, err = layertar.Unpack(ctx, r, fd, layertar.UnpackOptions{
		IDs: f.s.IDs(), Codec: codec, MaxBytes: 1 << 50, MaxEntries: 1 << 40, Warn: f.s.Warn,
	})
	r.CloseWithError(io.ErrClosedPipe) // ends the export when unpacking failed
	return err
}

func (f flat) Mount(_ context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, err
	}
	defer use.release()
	return bind(f.tree(&n), target, o)
}

func (f flat) Detach(_ context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, nil, err
	}
	file, err := clone(f.tree(&n), o)
	if err != nil {
		use.release()
		return nil, nil, err
	}
	return detachedMount{sync.OnceFunc(use.release)}, file, nil
}

// against calls do with what the snapshot began as and its tree.
func (f flat) against(ctx context.Context, n *layerstore.Snapshot, make func(dir string) error, do func(base, tree int) error) error {
	return f.withBase(ctx, n.Layers, make, func(dir string) error { return f.compare(n, dir, do) })
}

// compare calls do with a base and the snapshot's tree.
func (f flat) compare(n *layerstore.Snapshot, dir string, do func(base, tree int) error) error {
	base, err := hostfs.OpenLayer(dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(base)
	tree, err := hostfs.OpenLayer(f.tree(n))
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	defer hostfs.Close(tree)
	return do(base, tree)
}

func (f flat) diff(ctx context.Context, n *layerstore.Snapshot, w io.Writer, make func(dir string) error) error {
	return f.against(ctx, n, make, func(base, tree int) error {
		return layertar.PackDiff(ctx, w, base, tree, f.s.IDs())
	})
}

func (f flat) changes(ctx context.Context, n *layerstore.Snapshot, make func(dir string) error) (out []layertar.Change, err error) {
	err = f.against(ctx, n, make, func(base, tree int) error {
		out, err = layertar.ChangesOf(ctx, base, tree)
		return err
	})
	return out, err
}

// remove takes a snapshot away: first its tree, where that isn't a plain
// directory, then all else, then the bases that nobody needs any more.
func (f flat) remove(n *layerstore.Snapshot, tree func(dir string) error, base func(dir string) error) error {
	use, err := takeUse(n)
	if err != nil {
		return err
	}
	defer use.release()
	if err := tree(f.tree(n)); err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	if err := f.s.RemoveSnapshot(n.ID); err != nil {
		return err
	}
	return f.collectBases(base)
}

func (f flat) Export(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	fd, err := hostfs.OpenLayer(f.tree(&n))
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	defer hostfs.Close(fd)
	return layertar.PackTree(ctx, w, fd, f.s.IDs())
}

func (f flat) Usage(n layerstore.Snapshot) (int64, error) { return bytesBelow(f.tree(&n)) }

// unable tells what keeps trees from being shown as they are.
func (f flat) unable() string {
	if f.s.IDs() != layertar.SingleID {
		if mayMount() {
			return ""
		}
		return "this process may not mount: run it as root, or inside unionfs unshare"
	}
	return "the store keeps owners in attributes, which only the driver union shows: use that, or give this user a range of ids in /etc/subuid and /etc/subgid and make a new store"
}
