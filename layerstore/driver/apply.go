package driver

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// An applier puts the trees of layers on top of a flat tree: a directory that is
// what its layers make, without marks. Directories are found by their paths, so
// that two descriptors are open whatever the depth.
type applier struct {
	ctx  context.Context
	tree int // the flat tree
	warn func(line string)
	mu   sync.Mutex
	// cannot are the attributes that the tree's file system has refused, each
	// warned of once.
	cannot map[string]bool
}

// onLayer is the work of one layer.
type onLayer struct {
	*applier
	layer int
	// first are the places of files with several names, for the others to be
	// linked to. Layers hold whole groups: an archive links to what it holds.
	first map[inode]string
	// dirs are those that the layer has, parents first. They get their
	// attributes when all that is in them is there: a mode may keep us out, a
	// default ACL would be inherited, and times change.
	dirs []string
}

type inode struct {
	major, minor uint32
	ino          uint64
}

func inodeOf(st *unix.Statx_t) inode { return inode{st.Dev_major, st.Dev_minor, st.Ino} }

func newApplier(ctx context.Context, tree int, warn func(line string)) *applier {
	return &applier{ctx: ctx, tree: tree, warn: warn, cannot: map[string]bool{}}
}

// apply puts a layer on top of what is there. The root's own attributes are for
// the caller to set: few layers tell them.
func (a *applier) apply(layer int) error {
	on := onLayer{applier: a, layer: layer, first: map[inode]string{}}
	todo := []subdir{{}}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if a.ctx.Err() != nil {
			return context.Cause(a.ctx)
		}
		below, err := on.dir(at)
		if err != nil {
			return fmt.Errorf("/%s: %w", at.path, err)
		}
		on.dirs = append(on.dirs, at.path)
		todo = append(todo, below...)
	}
	return on.finish()
}

// subdir is a directory to be applied.
type subdir struct {
	path string
	// fresh says that the tree had nothing there.
	fresh bool
}

// content is what a layer's directory says.
type content struct {
	opaque bool
	hidden []string
	plain  []string
}

// read sorts a directory of a layer into marks and files.
func read(dir int) (c content, err error) {
	marks, err := whiteout.ReadDirMarks(dir, "")
	if err != nil {
		return c, err
	}
	if marks.HasRedirect {
		return c, fmt.Errorf("it was renamed from %s by a union, and no layer of an archive has that", marks.Redirect)
	}
	c.opaque = marks.Opaque
	err = hostfs.ListDir(dir, "", func(name []byte, _ uint64, dtype uint8) error {
		class, of, err := whiteout.Classify(dir, marks, name, dtype)
		switch class {
		case whiteout.Plain:
			c.plain = append(c.plain, string(name))
		case whiteout.WhiteoutOf:
			c.hidden = append(c.hidden, string(of))
		case whiteout.OpaqueMarker:
			c.opaque = true
		}
		return err
	})
	return c, err
}

// dir applies one directory and answers those in it. What is hidden goes first:
// a whiteout may stand beside a file of the name that it hides.
func (on *onLayer) dir(at subdir) (below []subdir, err error) {
	from, err := openDir(on.layer, at.path)
	if err != nil {
		return nil, err
	}
	defer hostfs.Close(from)
	to, err := openDir(on.tree, at.path)
	if err != nil {
		return nil, err
	}
	defer hostfs.Close(to)
	c, err := read(from)
	if err != nil {
		return nil, err
	}
	if !at.fresh {
		if err := makeWay(to, c); err != nil {
			return nil, err
		}
	}
	copies := newCrew()
	for _, name := range c.plain {
		child := subdir{join(at.path, name), at.fresh || c.opaque}
		isDir, err := on.child(from, to, name, &child, copies)
		if err != nil {
			copies.fail(fmt.Errorf("%s: %w", name, err))
			break
		}
		if isDir {
			below = append(below, child)
		}
	}
	return below, copies.end()
}

// openDir opens the directory at path below a root, "" for the root.
func openDir(root int, path string) (int, error) {
	if path == "" {
		path = "."
	}
	return hostfs.OpenDir(root, path)
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// makeWay removes from a directory of the tree what a layer hides, and a default
// ACL, which what is made in it would inherit: its own comes at the end.
func makeWay(dir int, c content) error {
	if err := hostfs.Removexattr(dir, "", aclDefault); err != nil && err != unix.ENODATA && err != unix.EOPNOTSUPP {
		return fmt.Errorf("removing its default ACL: %w", err)
	}
	if c.opaque {
		return hostfs.RemoveChildren(dir)
	}
	for _, name := range c.hidden {
		if err := hostfs.RemoveAll(dir, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// child applies one name, in the place of what the tree has there. Two
// directories are merged. Files that nobody waits for, to link to them, are for
// the crew to copy.
func (on *onLayer) child(from, to int, name string, at *subdir, copies *crew) (isDir bool, err error) {
	var st unix.Statx_t
	if err := hostfs.Statx(from, name, &st); err != nil {
		return false, err
	}
	isDir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	if !at.fresh {
		kept, err := clear(to, name, isDir)
		if err != nil || kept {
			return isDir, err
		}
		at.fresh = true
	}
	if isDir {
		return true, hostfs.Mkdir(to, name, 0o700)
	}
	if st.Nlink > 1 {
		if first, ok := on.first[inodeOf(&st)]; ok {
			return false, on.link(first, to, name)
		}
		on.first[inodeOf(&st)] = at.path
		return false, on.copy(from, to, name, &st)
	}
	copies.do(func() error {
		if err := on.copy(from, to, name, &st); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return false, nil
}

// clear removes what the tree has at a name; kept says that it is a directory
// that another is going to be merged with.
func clear(dir int, name string, isDir bool) (kept bool, err error) {
	var st unix.Statx_t
	err = hostfs.Statx(dir, name, &st)
	switch {
	case err == unix.ENOENT:
		return false, nil
	case err != nil:
		return false, err
	case isDir && st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return true, nil
	}
	return false, hostfs.RemoveAll(dir, name)
}

func (on *onLayer) link(first string, to int, name string) error {
	dir, base := split(first)
	fd, err := openDir(on.tree, dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return hostfs.Link(fd, base, to, name)
}

// finish gives the directories their attributes, children before parents; the
// root is the first and stays as it is.
func (on *onLayer) finish() error {
	for i := len(on.dirs) - 1; i > 0; i-- {
		dir, name := split(on.dirs[i])
		if err := on.finishDir(dir, name); err != nil {
			return fmt.Errorf("/%s: %w", on.dirs[i], err)
		}
	}
	return nil
}

func (on *onLayer) finishDir(dir, name string) error {
	from, err := openDir(on.layer, dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	to, err := openDir(on.tree, dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	return on.adorn(from, name, to, name, false)
}
