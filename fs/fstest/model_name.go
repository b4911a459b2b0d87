package fstest

import "golang.org/x/sys/unix"

// make is the common part of all that create a name.
func (m *Model) make(p string, mode uint32) (*inode, unix.Errno) {
	at, errno := m.free(p)
	if errno != 0 {
		return nil, errno
	}
	n := m.newInode(at.dir, mode)
	at.insert(n)
	return n, 0
}

func (m *Model) create(o Op) unix.Errno {
	n, errno := m.make(o.Path, unix.S_IFREG|o.Mode)
	if errno == 0 {
		n.write(o.Data, 0)
	}
	return errno
}

// mkdir takes the permission bits and the sticky bit alone: vfs_prepare_mode()
// in do_mkdirat().
func (m *Model) mkdir(o Op) unix.Errno {
	_, errno := m.make(o.Path, unix.S_IFDIR|o.Mode&0o1777)
	return errno
}

func (m *Model) mknod(o Op) unix.Errno {
	n, errno := m.make(o.Path, o.Mode)
	if errno == 0 && (o.Mode&unix.S_IFMT == unix.S_IFCHR || o.Mode&unix.S_IFMT == unix.S_IFBLK) {
		n.rdev = uint64(o.Len)
	}
	return errno
}

func (m *Model) symlink(o Op) unix.Errno {
	n, errno := m.make(o.Path, unix.S_IFLNK|0o777)
	if errno == 0 {
		n.target = o.To
	}
	return errno
}

// link checks in the order of do_linkat() and vfs_link(): the old name, the
// new one, then the type.
func (m *Model) link(o Op) unix.Errno {
	old, errno := m.walk(o.Path, false)
	if errno != 0 {
		return errno
	}
	to, errno := m.free(o.To)
	if errno != 0 {
		return errno
	}
	if isDir(old.node.mode) {
		return unix.EPERM
	}
	to.insert(old.node)
	return 0
}

func (m *Model) unlink(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return errno
	}
	if isDir(at.node.mode) {
		return unix.EISDIR
	}
	at.remove()
	return 0
}

func (m *Model) rmdir(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	switch {
	case errno != 0:
		return errno
	case !isDir(at.node.mode):
		return unix.ENOTDIR
	case len(at.node.entries) > 0:
		return unix.ENOTEMPTY
	}
	at.remove()
	return 0
}

// rename checks in the order of do_renameat2() and vfs_rename().
func (m *Model) rename(o Op) unix.Errno {
	old, errno := m.resolve(o.Path, false)
	if errno != 0 {
		return errno
	}
	to, errno := m.resolve(o.To, false)
	if errno != 0 {
		return errno
	}
	if errno := renameable(old, to, o.Flags); errno != 0 {
		return errno
	}
	switch {
	case old.node == to.node: // two names of one inode: nothing happens (POSIX rename())
	case o.Flags == unix.RENAME_EXCHANGE:
		exchange(old, to)
	default:
		replace(old, to)
	}
	return 0
}

func renameable(old, to place, flags int) unix.Errno {
	exchange := flags == unix.RENAME_EXCHANGE
	switch {
	case old.node == nil:
		return unix.ENOENT
	case flags == unix.RENAME_NOREPLACE && to.node != nil:
		return unix.EEXIST
	case exchange && to.node == nil:
		return unix.ENOENT
	case isDir(old.node.mode) && to.dir.below(old.node):
		return unix.EINVAL // into its own subtree
	case to.node != nil && isDir(to.node.mode) && old.dir.below(to.node):
		if exchange {
			return unix.EINVAL
		}
		return unix.ENOTEMPTY // onto its own ancestor
	case to.node == nil || exchange || old.node == to.node:
		return 0
	case isDir(old.node.mode) && !isDir(to.node.mode):
		return unix.ENOTDIR
	case !isDir(old.node.mode) && isDir(to.node.mode):
		return unix.EISDIR
	case isDir(to.node.mode) && len(to.node.entries) > 0:
		return unix.ENOTEMPTY
	}
	return 0
}

func replace(old, to place) {
	if to.node != nil {
		to.remove()
	}
	n := old.node
	nlink := n.nlink
	old.remove()
	to.insert(n)
	n.nlink = nlink
}

func exchange(a, b place) {
	an, bn := a.node.nlink, b.node.nlink
	a.remove()
	b.remove()
	a.insert(b.node)
	b.insert(a.node)
	a.node.nlink, b.node.nlink = an, bn
}
