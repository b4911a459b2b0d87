package driver

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// flat is what the drivers share that keep a snapshot as a whole tree of its
// own.
type flat struct {
	s     *layerstore.Store
	name  string
	bases bases
	// clones says that trees begin as clones of bases.
	clones bool
	// treeOf says where trees are, once they are there; nil is the snapshot's
	// own folder.
	treeOf func(ctx context.Context, n *layerstore.Snapshot) (string, error)
}

func (f flat) Name() string { return f.name }

// tree is where a snapshot's files are.
func (f flat) tree(ctx context.Context, n *layerstore.Snapshot) (string, error) {
	if f.treeOf == nil {
		return treeIn(n.Dir()), nil
	}
	dir, err := f.treeOf(ctx, n)
	if err != nil {
		err = fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	return dir, err
}

func treeIn(dir string) string { return filepath.Join(dir, "tree") }

func (f flat) collect(ctx context.Context) error { return f.bases.collect(ctx) }

func (f flat) Mount(ctx context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, err
	}
	defer use.release()
	dir, err := f.tree(ctx, &n)
	if err != nil {
		return nil, err
	}
	return bind(dir, target, o)
}

func (f flat) Detach(ctx context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error) {
	use, err := takeUse(&n)
	if err != nil {
		return nil, nil, err
	}
	var file *os.File
	dir, err := f.tree(ctx, &n)
	if err == nil {
		file, err = clone(dir, o)
	}
	if err != nil {
		use.release()
		return nil, nil, err
	}
	return detachedMount{sync.OnceFunc(use.release)}, file, nil
}

func (f flat) View(ctx context.Context, chain []layerstore.DiffID, target string, o MountOptions) (m Mount, err error) {
	o.ReadOnly = true
	err = f.bases.with(ctx, chain, func(dir string) error {
		m, err = bind(dir, target, o)
		return err
	})
	return m, err
}

// compare calls do with what the snapshot began as and its tree.
func (f flat) compare(ctx context.Context, n *layerstore.Snapshot, do func(base, tree int) error) error {
	return f.bases.with(ctx, n.Layers, func(dir string) error {
		base, err := hostfs.OpenLayer(dir)
		if err != nil {
			return err
		}
		defer hostfs.Close(base)
		return f.open(ctx, n, func(tree int) error { return do(base, tree) })
	})
}

func (f flat) open(ctx context.Context, n *layerstore.Snapshot, do func(tree int) error) error {
	dir, err := f.tree(ctx, n)
	if err != nil {
		return err
	}
	tree, err := hostfs.OpenLayer(dir)
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	defer hostfs.Close(tree)
	return do(tree)
}

func (f flat) Diff(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	return f.compare(ctx, &n, func(base, tree int) error {
		return layertar.PackDiff(ctx, w, base, tree, layertar.Plain)
	})
}

func (f flat) Changes(ctx context.Context, n layerstore.Snapshot) (out []layertar.Change, err error) {
	err = f.compare(ctx, &n, func(base, tree int) error {
		out, err = layertar.ChangesOf(ctx, base, tree)
		return err
	})
	return out, err
}

func (f flat) Export(ctx context.Context, n layerstore.Snapshot, w io.Writer) error {
	return f.open(ctx, &n, func(tree int) error { return layertar.PackTree(ctx, w, tree, layertar.Plain) })
}

func (f flat) Usage(n layerstore.Snapshot) (int64, error) {
	ctx := context.Background()
	dir, err := f.tree(ctx, &n)
	if err != nil {
		return 0, err
	}
	if !f.clones {
		return bytesBelow(dir)
	}
	size := int64(0)
	err = f.bases.with(ctx, n.Layers, func(base string) (err error) {
		size, err = bytesBeyond(base, dir)
		return err
	})
	return size, err
}

// take makes a snapshot vanish; tree removes the files of its tree first, which
// is in a folder that nobody knows any more.
func (f flat) take(n *layerstore.Snapshot, tree func(dir string) error) error {
	use, err := takeUse(n)
	if err != nil {
		return err
	}
	defer use.release()
	st, err := f.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	dir, err := st.TakeSnapshot(n.ID)
	if err == nil {
		err = tree(treeIn(dir))
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	return nil
}

// unable tells what keeps trees from being shown as they are.
func (f flat) unable() string {
	switch {
	case f.s.IDs() == layertar.SingleID:
		return "the store keeps owners in attributes, which only the driver union shows: use that, or give this user a range of ids in /etc/subuid and /etc/subgid and make a new store"
	case !mayMount():
		return "this process may not mount: run it as root, or inside unionfs unshare"
	}
	return ""
}
