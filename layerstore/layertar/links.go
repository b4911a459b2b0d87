package layertar

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// hardLink gives a file of this archive one more name. Its attributes are those
// of the file, whatever the entry says: they are one.
func (u *unpacker) hardLink(parent *node, name, linkname string) error {
	path, err := cleanName(linkname)
	if err != nil {
		return fmt.Errorf("the name that it links to, %q: %w", linkname, err)
	}
	if path == "" {
		return errors.New("it is a hard link to the root, which is a directory")
	}
	dir, target := splitPath(path)
	from, err := u.existingDir(dir)
	if err != nil {
		return fmt.Errorf("the name that it links to, %q: %w", linkname, err)
	}
	if from == nil {
		return noTarget(linkname)
	}
	u.pool.await(from, target)
	if err := u.pool.err(); err != nil {
		return err
	}
	if from == parent && target == name {
		return u.linkToItself(from, target, linkname)
	}
	return u.link(from, target, parent, name, linkname)
}

func noTarget(linkname string) error {
	return fmt.Errorf("it is a hard link to %q, which is no file of this layer", linkname)
}

// linkToItself changes nothing, but the file must be there.
func (u *unpacker) linkToItself(dir *node, name, linkname string) error {
	fd, err := u.fds.open(dir)
	if err != nil {
		return err
	}
	if ok, err := linkable(fd, name); err != nil || !ok {
		return errors.Join(err, noTarget(linkname))
	}
	return nil
}

// linkable tells whether name is there and neither a directory nor a mark.
func linkable(dirfd int, name string) (bool, error) {
	var st unix.Statx_t
	if err := hostfs.Statx(dirfd, name, &st); err != nil {
		if err == unix.ENOENT {
			err = nil
		}
		return false, err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return false, errors.New("it is a hard link to a directory")
	}
	mark, err := isWhiteout(dirfd, name)
	return !mark, err
}

func (u *unpacker) link(from *node, target string, parent *node, name, linkname string) error {
	// Held, for the two opens may push each other out of the cache.
	src, err := u.fds.acquire(from)
	if err != nil {
		return err
	}
	defer src.release()
	switch ok, err := linkable(src.fd, target); {
	case err != nil:
		return err
	case !ok:
		return noTarget(linkname)
	}
	kid := from.child(target) // of a symlink: its second name leads on too
	if err := u.clear(parent, name); err != nil {
		return err
	}
	if from.gone {
		return noTarget(linkname) // the entry replaces the directory of its target
	}
	dst, err := u.fds.open(parent)
	if err != nil {
		return err
	}
	err = hostfs.Link(src.fd, target, dst, name)
	if err == unix.EEXIST {
		if err = hostfs.Unlink(dst, name); err == nil {
			err = hostfs.Link(src.fd, target, dst, name)
		}
	}
	if err != nil {
		return fmt.Errorf("linking it to %q: %w", linkname, err)
	}
	if kid != nil {
		parent.add(&node{parent: parent, name: name, isLink: true, target: kid.target})
	}
	u.links.add(key{from, target}, key{parent, name})
	return nil
}

// linkTable knows the names that are one file. Names in directories that were
// replaced stay until the end: nothing finds them, for their directories are
// others than those that came in their place.
type linkTable struct{ of map[key]*linkGroup }

// linkGroup is one file.
type linkGroup struct{ names []string }

func newLinkTable() linkTable { return linkTable{of: map[key]*linkGroup{}} }

func (t *linkTable) add(old, name key) {
	g := t.of[old]
	if g == nil {
		g = new(linkGroup)
		t.of[old] = g
	}
	t.of[name] = g
}

// drop takes a name away that is going to be something else.
func (t *linkTable) drop(dir *node, name string) {
	if len(t.of) > 0 {
		delete(t.of, key{dir, name})
	}
}

// groups lists the names of each file that has several.
func (t *linkTable) groups() [][]string {
	var out [][]string
	all := map[*linkGroup]bool{}
	for k, g := range t.of {
		if !k.dir.gone {
			g.names = append(g.names, joinPath(k.dir.path(), k.name))
			all[g] = true
		}
	}
	for g := range all {
		if len(g.names) > 1 {
			slices.Sort(g.names)
			out = append(out, g.names)
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return slices.Compare(a, b) })
	return out
}
