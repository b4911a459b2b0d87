package layertar

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// ChangesOf compares two trees as they stand on disk, marks and all. The times
// of whiteouts say nothing and aren't compared, nor is that of the root, which
// every change in it moves.
func ChangesOf(ctx context.Context, base, changed int) ([]Change, error) {
	d := newDiffer(ctx, base, changed)
	defer d.dirs.close()
	if err := d.run(); err != nil {
		return nil, err
	}
	return d.set.list(), nil
}

// PackDiff writes, as a layer archive, what makes changed of base. Both are
// plain trees, without marks; ids is Plain where names of attributes that would
// be marks are a user's own.
func PackDiff(ctx context.Context, w io.Writer, base, changed int, ids IDs) error {
	d := newDiffer(ctx, base, changed)
	defer d.dirs.close()
	if err := d.run(); err != nil {
		return err
	}
	s := &stack{upper: d.changed, dirs: d.dirs, ids: ids}
	items, err := d.items(s)
	if err != nil {
		return err
	}
	return writeItems(ctx, w, s, items)
}

// differ compares two trees.
type differ struct {
	ctx           context.Context
	base, changed *layer
	dirs          *openDirs
	set           changeSet
	links         []linkedPath
}

// linkedPath is a path that has, or had, its file in common with others. A zero
// inode is of a tree that doesn't have it.
type linkedPath struct {
	path      string
	was, isIn inode
}

func newDiffer(ctx context.Context, base, changed int) *differ {
	return &differ{
		ctx: ctx, base: &layer{index: 0, fd: base}, changed: &layer{index: -1, fd: changed},
		dirs: newOpenDirs(), set: changeSet{},
	}
}

func (d *differ) run() error {
	if err := d.root(); err != nil {
		return err
	}
	todo := []string{""}
	for len(todo) > 0 {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		below, err := d.dir(path)
		if err != nil {
			return fmt.Errorf("/%s: %w", path, err)
		}
		todo = append(todo, below...)
	}
	d.relink()
	return nil
}

func (d *differ) root() error {
	var a, b unix.Statx_t
	if err := hostfs.Statx(d.base.fd, "", &a); err != nil {
		return err
	}
	if err := hostfs.Statx(d.changed.fd, "", &b); err != nil {
		return err
	}
	same, err := d.sameXattrs("", "")
	if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || !same {
		d.set[""] = Changed
	}
	return err
}

// dir compares the names of a directory and answers the directories below that
// are to be compared.
func (d *differ) dir(path string) (below []string, err error) {
	was, err := d.names(d.base, path)
	if err != nil {
		return nil, err
	}
	now, err := d.names(d.changed, path)
	if err != nil {
		return nil, err
	}
	for len(was)+len(now) > 0 {
		switch order := compareFirst(was, now); {
		case order < 0:
			d.set[joinPath(path, was[0])] = Deleted
			was = was[1:]
		case order > 0:
			if err := d.added(joinPath(path, now[0])); err != nil {
				return nil, err
			}
			now = now[1:]
		default:
			isDir, err := d.both(path, now[0])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", now[0], err)
			}
			if isDir {
				below = append(below, joinPath(path, now[0]))
			}
			was, now = was[1:], now[1:]
		}
	}
	return below, nil
}

func compareFirst(a, b []string) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return strings.Compare(a[0], b[0])
}

func (d *differ) names(l *layer, path string) ([]string, error) {
	fd, err := d.dirs.open(dirRef{l, path})
	if err != nil {
		return nil, err
	}
	var names []string
	err = hostfs.ListDir(fd, "", func(name []byte, _ uint64, _ uint8) error {
		names = append(names, string(name))
		return nil
	})
	slices.Sort(names)
	return names, err
}

func (d *differ) stat(l *layer, path string, st *unix.Statx_t) error {
	dir, name := splitPath(path)
	fd, err := d.dirs.open(dirRef{l, dir})
	if err != nil {
		return err
	}
	return hostfs.Statx(fd, name, st)
}

// added notes a path that base doesn't have, and all below it.
func (d *differ) added(top string) error {
	todo := []string{top}
	for len(todo) > 0 {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if d.ctx.Err() != nil {
			return context.Cause(d.ctx)
		}
		d.set[path] = Added
		var st unix.Statx_t
		if err := d.stat(d.changed, path, &st); err != nil {
			return err
		}
		if typeOf(&st) != unix.S_IFDIR {
			d.noteLinks(path, nil, &st)
			continue
		}
		names, err := d.names(d.changed, path)
		if err != nil {
			return err
		}
		for _, name := range names {
			todo = append(todo, joinPath(path, name))
		}
	}
	return nil
}

// both compares what both trees have at a name; isDir says that both are
// directories.
func (d *differ) both(dir, name string) (isDir bool, err error) {
	path := joinPath(dir, name)
	var a, b unix.Statx_t
	if err := d.stat(d.base, path, &a); err != nil {
		return false, err
	}
	if err := d.stat(d.changed, path, &b); err != nil {
		return false, err
	}
	if typeOf(&a) != typeOf(&b) {
		return false, d.retyped(path, &a, &b)
	}
	if typeOf(&b) == unix.S_IFDIR {
		isDir = true
	} else {
		d.noteLinks(path, &a, &b)
	}
	same, err := d.same(dir, name, &a, &b)
	if !same {
		d.set[path] = Changed
	}
	return isDir, err
}

func (d *differ) retyped(path string, a, b *unix.Statx_t) error {
	if typeOf(b) == unix.S_IFDIR {
		if err := d.added(path); err != nil {
			return err
		}
	} else {
		d.noteLinks(path, a, b)
	}
	d.set[path] = Changed
	return nil
}

// items turns the paths into what writeItems takes.
func (d *differ) items(s *stack) ([]item, error) {
	items := []item{{path: "", src: dirRef{layer: d.changed}.place()}}
	for _, c := range d.set.list() {
		path := c.Path[1:]
		if path == "" {
			continue
		}
		if c.Kind == Deleted {
			items = append(items, item{path: path, mark: whiteoutMark})
			continue
		}
		var st unix.Statx_t
		if err := d.stat(d.changed, path, &st); err != nil {
			return nil, fmt.Errorf("/%s: %w", path, err)
		}
		dir, name := splitPath(path)
		it := item{path: path, src: place{s.upper, dir, name}, data: place{s.upper, dir, name}, covers: c.Kind == Changed}
		if typeOf(&st) != unix.S_IFDIR && st.Nlink > 1 {
			it.same = inodeOf(&st)
		}
		items = append(items, it)
	}
	return items, nil
}
