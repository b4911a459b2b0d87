package layertar

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Changes lists what src.Upper changes: it reads the upper, and of the layers
// below the names that it covers.
func Changes(ctx context.Context, src Source) ([]Change, error) {
	c, err := newCollector(ctx, src)
	if err != nil {
		return nil, err
	}
	defer c.s.dirs.close()
	if err := c.upperTree(); err != nil {
		return nil, err
	}
	x := changeLister{c: c, below: c.s.below(), set: changeSet{}, dirs: map[string]*mergedDir{}}
	if err := x.run(); err != nil {
		return nil, err
	}
	return x.set.list(), nil
}

type changeLister struct {
	c     *collector
	below *stack
	set   changeSet
	dirs  map[string]*mergedDir // of the layers below; nil for none
	// closed is the directory met last that hides what is below it, with all
	// that is in it.
	closed string
	within bool // there was one
	// copied are directories that may be no more than copies.
	copied []item
}

func (x *changeLister) run() error {
	for i := range x.c.items {
		if x.c.ctx.Err() != nil {
			return context.Cause(x.c.ctx)
		}
		it := &x.c.items[i]
		if err := x.item(it); err != nil {
			return fmt.Errorf("/%s: %w", it.path, err)
		}
	}
	return x.dropCopies()
}

func (x *changeLister) item(it *item) error {
	switch {
	case it.mark == opaqueMark:
		if !x.isClosed(it.path) {
			x.closed, x.within = it.path, true
			return x.opaque(it.path)
		}
		return nil
	case it.path == "":
		return nil
	}
	f, err := x.covered(it.path)
	if err != nil {
		return err
	}
	if it.mark == noMark && f != nil && f.isDir() && x.isClosed(it.path) {
		if err := x.opaque(it.path); err != nil {
			return err
		}
	}
	switch {
	case it.mark == whiteoutMark:
		if f != nil {
			x.set[it.path] = Deleted
		}
	case f == nil:
		x.set[it.path] = Added
	case f.place() == it.src:
		// Nothing but what was there, in a directory that came back.
		if f.isDir() {
			x.copied = append(x.copied, *it)
		}
	default:
		x.set[it.path] = Changed
		if f.isDir() {
			x.copied = append(x.copied, *it)
		}
	}
	return nil
}

// covered finds what the layers below have at a path; nil for nothing.
func (x *changeLister) covered(path string) (*found, error) {
	dir, name := splitPath(path)
	d, err := x.dir(dir)
	if err != nil || d == nil {
		return nil, err
	}
	return x.below.find(d, name)
}

// dir finds a directory of the layers below, nil when there is none.
func (x *changeLister) dir(path string) (*mergedDir, error) {
	if d, known := x.dirs[path]; known {
		return d, nil
	}
	if path == "" {
		d, err := x.below.root()
		x.dirs[path] = d
		return d, err
	}
	f, err := x.covered(path)
	if err != nil {
		return nil, err
	}
	var d *mergedDir
	if f != nil && f.isDir() {
		parent, _ := splitPath(path)
		if d, err = x.below.enter(x.dirs[parent], f); err != nil {
			return nil, err
		}
	}
	x.dirs[path] = d
	return d, nil
}

// isClosed tells of a path in a directory that hides what is below.
func (x *changeLister) isClosed(path string) bool {
	return x.within && (x.closed == "" || strings.HasPrefix(path+"/", x.closed+"/"))
}

// opaque lists what a directory hides without putting anything in its place.
func (x *changeLister) opaque(path string) error {
	d, err := x.dir(path)
	if err != nil || d == nil {
		return err
	}
	names, err := x.below.readDir(d)
	if err != nil {
		return err
	}
	for _, f := range names {
		child := joinPath(path, f.name)
		_, there := slices.BinarySearchFunc(x.c.items, child, func(it item, path string) int {
			if c := comparePaths(it.path, path); c != 0 {
				return c
			}
			return int(it.mark) - int(noMark)
		})
		if !there {
			x.set[child] = Deleted
		}
	}
	return nil
}

// dropCopies forgets the directories that are like those below them and have
// nothing in them that changed.
func (x *changeLister) dropCopies() error {
	maybe := map[string]bool{}
	for _, it := range x.copied {
		maybe[it.path] = true
	}
	busy := map[string]bool{}
	keep := func(path string) {
		for ; path != "" && !busy[path]; path, _ = splitPath(path) {
			busy[path] = true
		}
	}
	for path := range x.set {
		if !maybe[path] {
			keep(path)
		}
	}
	for _, it := range slices.Backward(x.copied) {
		if busy[it.path] {
			continue
		}
		same, err := x.likeBelow(&it)
		if err != nil {
			return err
		}
		if same {
			delete(x.set, it.path)
			continue
		}
		keep(it.path)
	}
	return nil
}

func (x *changeLister) likeBelow(it *item) (bool, error) {
	f, err := x.covered(it.path)
	if err != nil || f == nil || !f.isDir() {
		return false, err
	}
	a, err := x.read(it.src)
	if err != nil {
		return false, err
	}
	b, err := x.read(f.place())
	if err != nil {
		return false, err
	}
	return a.mode == b.mode && a.mode&unix.S_IFMT == unix.S_IFDIR && a.uid == b.uid && a.gid == b.gid &&
		a.mtime.Equal(b.mtime) && slices.Equal(a.xattrs, b.xattrs), nil
}

func (x *changeLister) read(p place) (*object, error) {
	fd, err := x.c.s.dirs.open(dirRef{p.layer, p.dir})
	if err != nil {
		return nil, err
	}
	return readObject(p.layer.marks, fd, p.name, x.c.s.ids)
}
