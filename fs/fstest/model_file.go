package fstest

import "golang.org/x/sys/unix"

// open is host.open: no symlink at the end, no special files.
func (m *Model) open(p string, flags int, mode uint32) (*inode, unix.Errno) {
	at, errno := m.resolve(p, false)
	if errno != 0 {
		return nil, errno
	}
	n := at.node
	if n == nil {
		if flags&unix.O_CREAT == 0 {
			return nil, unix.ENOENT
		}
		return m.make(p, unix.S_IFREG|mode)
	}
	switch {
	case isSpecial(n.mode):
		return nil, unix.ENXIO
	case n.mode&unix.S_IFMT == unix.S_IFLNK:
		return nil, unix.ELOOP
	case isDir(n.mode) && flags&(unix.O_CREAT|unix.O_ACCMODE) != 0:
		return nil, unix.EISDIR
	}
	if flags&unix.O_TRUNC != 0 {
		n.data = nil
		n.changed() // also when it was empty: open() sets the time (POSIX open(), O_TRUNC)
	}
	return n, 0
}

// changed is file_modified(): a new time, and capabilities of the old content
// are void. suid and sgid stay: the model's user has CAP_FSETID.
func (n *inode) changed() {
	n.touch()
	delete(n.xattrs, "security.capability")
}

func (n *inode) write(data string, off int64) {
	if data == "" {
		return
	}
	n.grow(off + int64(len(data)))
	copy(n.data[off:], data)
	n.changed()
}

func (n *inode) grow(size int64) {
	if missing := size - int64(len(n.data)); missing > 0 {
		n.data = append(n.data, make([]byte, missing)...)
	}
}

// resize is truncate(2). An unchanged size sets the time too: POSIX wants it of
// ftruncate(), ext4 and tmpfs do it for both.
func (n *inode) resize(size int64) {
	if size < int64(len(n.data)) {
		n.data = n.data[:size:size]
	}
	n.grow(size)
	n.changed()
}

func (m *Model) put(o Op, flags int) unix.Errno {
	n, errno := m.open(o.Path, flags, 0o644)
	if errno != 0 {
		return errno
	}
	off := o.Off
	if flags&unix.O_APPEND != 0 {
		off = int64(len(n.data)) // also for pwrite: pwrite(2), BUGS
	}
	n.write(o.Data, off)
	return 0
}

// truncate checks in the order of vfs_truncate().
func (m *Model) truncate(o Op) unix.Errno {
	at, errno := m.walk(o.Path, true)
	switch {
	case errno != 0:
		return errno
	case isDir(at.node.mode):
		return unix.EISDIR
	case !isReg(at.node.mode):
		return unix.EINVAL
	}
	at.node.resize(o.Len)
	return 0
}

func (m *Model) fallocate(o Op) unix.Errno {
	n, errno := m.open(o.Path, unix.O_RDWR, 0)
	if errno != 0 {
		return errno
	}
	end := o.Off + o.Len
	if o.Flags&unix.FALLOC_FL_KEEP_SIZE == 0 {
		n.grow(end)
	}
	if o.Flags&(unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_ZERO_RANGE) != 0 && o.Off < int64(len(n.data)) {
		clear(n.data[o.Off:min(end, int64(len(n.data)))])
	}
	n.changed()
	return 0
}

// tmpfile makes the file first and links it after: a target that exists costs
// nothing but the file without a name.
func (m *Model) tmpfile(o Op) unix.Errno {
	dir, errno := m.walk(o.Path, true)
	if errno != 0 {
		return errno
	}
	if !isDir(dir.node.mode) {
		return unix.ENOTDIR
	}
	n := m.newInode(dir.node, unix.S_IFREG|o.Mode)
	n.write(o.Data, 0)
	to, errno := m.free(o.To)
	if errno != 0 {
		return errno
	}
	to.insert(n)
	return 0
}
