package fstest

import (
	"strings"

	"golang.org/x/sys/unix"
)

func (m *Model) chmod(o Op) unix.Errno {
	at, errno := m.walk(o.Path, true)
	if errno == 0 {
		at.node.mode = at.node.mode&unix.S_IFMT | o.Mode&0o7777
	}
	return errno
}

// chown clears suid, and sgid when the group may execute, from everything but
// directories, for root too: chown_common() and setattr_should_drop_sgid().
func (m *Model) chown(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return errno
	}
	n := at.node
	if o.UID >= 0 {
		n.uid = uint32(o.UID)
	}
	if o.GID >= 0 {
		n.gid = uint32(o.GID)
	}
	if isDir(n.mode) {
		return 0
	}
	delete(n.xattrs, "security.capability")
	n.mode &^= unix.S_ISUID
	if n.mode&unix.S_IXGRP != 0 {
		n.mode &^= unix.S_ISGID
	}
	return 0
}

func (m *Model) utimes(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	if errno == 0 {
		at.node.mtime = Stamp{Sec: o.Off, Nsec: o.Len}
	}
	return errno
}

// userXattr is xattr_permission(): user.* belongs to files and directories.
func userXattr(n *inode, name string, refused unix.Errno) unix.Errno {
	if strings.HasPrefix(name, "user.") && !isDir(n.mode) && !isReg(n.mode) {
		return refused
	}
	return 0
}

func (m *Model) setxattr(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return errno
	}
	if errno := userXattr(at.node, o.Name, unix.EPERM); errno != 0 {
		return errno
	}
	_, exists := at.node.xattrs[o.Name]
	switch {
	case o.Flags == unix.XATTR_CREATE && exists:
		return unix.EEXIST
	case o.Flags == unix.XATTR_REPLACE && !exists:
		return unix.ENODATA
	}
	at.node.xattrs[o.Name] = o.Data
	return 0
}

func (m *Model) removexattr(o Op) unix.Errno {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return errno
	}
	if errno := userXattr(at.node, o.Name, unix.EPERM); errno != 0 {
		return errno
	}
	if _, exists := at.node.xattrs[o.Name]; !exists {
		return unix.ENODATA
	}
	delete(at.node.xattrs, o.Name)
	return 0
}

func (m *Model) getxattr(o Op) (Result, unix.Errno) {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return Result{}, errno
	}
	v, exists := at.node.xattrs[o.Name]
	if !exists {
		return Result{}, unix.ENODATA
	}
	return Result{Out: v}, 0
}

func (m *Model) listxattr(o Op) (Result, unix.Errno) {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return Result{}, errno
	}
	var names []string
	for name := range at.node.xattrs {
		names = append(names, name)
	}
	return Result{Out: sortedLines(names)}, 0
}

func (m *Model) stat(o Op) (Result, unix.Errno) {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return Result{}, errno
	}
	return Result{Stat: at.node.stat()}, 0
}

func (n *inode) stat() *StatFields {
	return &StatFields{
		Mode: n.mode, UID: n.uid, GID: n.gid, Nlink: n.nlink, Rdev: n.rdev,
		Size: int64(len(n.data) + len(n.target)),
	}
}

func (m *Model) readlink(o Op) (Result, unix.Errno) {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return Result{}, errno
	}
	if at.node.mode&unix.S_IFMT != unix.S_IFLNK {
		return Result{}, unix.EINVAL
	}
	return Result{Out: at.node.target}, 0
}

func (m *Model) readdir(o Op) (Result, unix.Errno) {
	at, errno := m.walk(o.Path, false)
	if errno != 0 {
		return Result{}, errno
	}
	if !isDir(at.node.mode) {
		return Result{}, unix.ENOTDIR
	}
	return Result{Out: at.node.list()}, 0
}

func (n *inode) list() string {
	var names []string
	for name, child := range n.entries {
		names = append(names, typeLetter(child.mode)+" "+name)
	}
	return sortedLines(names)
}
