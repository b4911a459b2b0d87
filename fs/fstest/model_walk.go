package fstest

import (
	"slices"

	"golang.org/x/sys/unix"
)

// place is where a path leads: the directory, the last name, and what has that
// name (nil when nothing does).
type place struct {
	dir  *inode
	name string
	node *inode
}

// maxLinks is MAXSYMLINKS of the kernel's fs/namei.c.
const maxLinks = 40

// resolve finds the place of p. Symlinks on the way are followed, one at the
// end only when asked (path_resolution(7)). A missing last name is no error.
func (m *Model) resolve(p string, follow bool) (place, unix.Errno) {
	at := place{dir: m.root, node: m.root}
	rest := split(p)
	for links := 0; len(rest) > 0; {
		if at.node == nil {
			return at, unix.ENOENT
		}
		if !isDir(at.node.mode) {
			return at, unix.ENOTDIR
		}
		name := rest[0]
		rest = rest[1:]
		if name == "." {
			continue
		}
		dir := at.node
		at = place{dir: dir, name: name, node: dir.entries[name]}
		if at.node == nil || at.node.mode&unix.S_IFMT != unix.S_IFLNK || (len(rest) == 0 && !follow) {
			continue
		}
		if links++; links > maxLinks {
			return at, unix.ELOOP
		}
		rest = slices.Concat(split(at.node.target), rest)
		at = place{dir: dir, node: dir}
	}
	return at, 0
}

// walk is resolve for calls that need something to be there.
func (m *Model) walk(p string, follow bool) (place, unix.Errno) {
	at, errno := m.resolve(p, follow)
	if errno == 0 && at.node == nil {
		errno = unix.ENOENT
	}
	return at, errno
}

// free is resolve for calls that make a name: filename_create() of the kernel
// says EEXIST for whatever is there.
func (m *Model) free(p string) (place, unix.Errno) {
	at, errno := m.resolve(p, false)
	if errno == 0 && at.node != nil {
		errno = unix.EEXIST
	}
	return at, errno
}

var present = Stamp{Now: true}

func (n *inode) touch() { n.mtime = present }

// insert gives an inode a name in a directory.
func (at place) insert(n *inode) {
	at.dir.entries[at.name] = n
	at.dir.touch()
	if isDir(n.mode) {
		n.parent = at.dir
		at.dir.nlink++
		return
	}
	n.nlink++
}

// remove takes the name away; the inode lives on while descriptors do.
func (at place) remove() {
	delete(at.dir.entries, at.name)
	at.dir.touch()
	if isDir(at.node.mode) {
		at.dir.nlink--
		at.node.nlink = 0
		return
	}
	at.node.nlink--
}

// newInode applies what inode_init_owner() does: a directory with the setgid
// bit hands down its group, and to directories the bit itself.
func (m *Model) newInode(dir *inode, mode uint32) *inode {
	n := &inode{mode: mode, uid: m.UID, gid: m.GID, mtime: present, xattrs: map[string]string{}}
	if mode&unix.S_IFMT != unix.S_IFLNK {
		n.mode = mode &^ m.Umask
	}
	if dir.mode&unix.S_ISGID != 0 {
		n.gid = dir.gid
		if isDir(mode) {
			n.mode |= unix.S_ISGID
		}
	}
	if isDir(mode) {
		n.entries, n.nlink = map[string]*inode{}, 2
	}
	return n
}

// below says whether n is dir or stands somewhere under it.
func (n *inode) below(dir *inode) bool {
	for ; n != dir; n = n.parent {
		if n.parent == n {
			return false
		}
	}
	return true
}
