package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// openLowerFile opens a lower file's data, leaving its access time alone where
// the kernel lets us.
func (u *Union) openLowerFile(ref *lowerRef) (int, error) {
	p, err := u.lowerPlace(ref)
	if err != nil {
		return -1, err
	}
	defer p.release()
	return u.spare(func() (int, error) {
		fd, err := hostfs.Open(p.h.fd, p.name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOATIME, 0)
		if err == unix.EPERM {
			fd, err = hostfs.Open(p.h.fd, p.name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		}
		return fd, err
	})
}

// openUpperFile opens a file in upper for reading and writing, or for reading
// when it may not be changed.
func (u *Union) openUpperFile(n *Inode) (fd int, err error) {
	err = u.withMeta(n, func(p place) error {
		fd, _, err = u.openUpperPlace(p)
		return err
	})
	return fd, err
}

// openUpperPlace opens for reading and writing. The kernel has already
// checked the caller's rights; a mode that keeps its own owner out, when that
// is who we are, is widened for the moment of opening. A file that chattr(1)
// made immutable or append-only can be opened for reading alone.
func (u *Union) openUpperPlace(p place) (fd int, writable bool, err error) {
	const both, read = unix.O_RDWR | unix.O_NONBLOCK, unix.O_RDONLY | unix.O_NONBLOCK
	fd, err = u.spare(func() (int, error) { return openPlace(p, both) })
	switch err {
	case unix.EACCES:
		fd, err = openWidened(p, both)
	case unix.EPERM:
		fd, err = openPlace(p, read)
		return fd, false, err
	}
	return fd, true, err
}

func openWidened(p place, flags int) (int, error) {
	var st unix.Statx_t
	if hostfs.Statx(p.h.fd, p.name, &st) != nil {
		return -1, unix.EACCES
	}
	if hostfs.Chmod(p.h.fd, p.name, uint32(st.Mode)&0o7777|0o600) != nil {
		return -1, unix.EACCES
	}
	fd, err := openPlace(p, flags)
	if back := hostfs.Chmod(p.h.fd, p.name, uint32(st.Mode)&0o7777); err == nil && back != nil {
		hostfs.Close(fd)
		return -1, back
	}
	return fd, err
}

// file answers a handle to the file's data, wherever it is now. The caller
// holds no lock and releases the handle.
func (u *Union) file(n *Inode) (*handle, error) {
	if h := cached(&n.file); h != nil {
		return h, nil
	}
	if !n.isRegular() {
		return nil, unix.EINVAL
	}
	if n.state.Load() == inUpper {
		return u.upperFile(n)
	}
	data, err := u.dataOf(n)
	if err != nil {
		if n.state.Load() == inUpper {
			return u.upperFile(n)
		}
		return nil, err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	// The slot is filled under the lock under which copy-up empties it, so
	// that no lower descriptor outlives the copy.
	if n.state.Load() == inUpper {
		return u.upperFileLocked(n)
	}
	fd, err := u.openLowerFile(data)
	if err != nil {
		return nil, err
	}
	return u.files.put(&n.file, fd, false), nil
}

func (u *Union) upperFile(n *Inode) (*handle, error) {
	u.tree.RLock()
	defer u.tree.RUnlock()
	n.mu.RLock()
	defer n.mu.RUnlock()
	return u.upperFileLocked(n)
}

func (u *Union) upperFileLocked(n *Inode) (*handle, error) {
	p, err := u.upperPlace(n)
	if err != nil {
		return nil, err
	}
	defer p.release()
	fd, writable, err := u.openUpperPlace(p)
	if err != nil {
		return nil, err
	}
	return u.files.put(&n.file, fd, writable), nil
}

// fileForWrite brings the whole file into upper and answers a handle to it.
func (u *Union) fileForWrite(n *Inode) (*handle, error) {
	if !n.isRegular() {
		return nil, unix.EINVAL
	}
	if err := u.copyUp(n, inUpper, all); err != nil {
		return nil, err
	}
	h, err := u.file(n)
	if err != nil || h.writable {
		return h, err
	}
	// It was immutable when it was opened.
	h.release()
	if h, err = u.upperFile(n); err == nil && !h.writable {
		h.release()
		return nil, unix.EPERM
	}
	return h, err
}

// Read reads into b at off; fewer bytes than asked for mean the file's end.
func (u *Union) Read(n *Inode, b []byte, off int64) (int, error) {
	h, err := u.file(n)
	if err != nil {
		return 0, err
	}
	defer h.release()
	return hostfs.Pread(h.fd, b, off)
}

// WriteMode says what kind of write it is.
type WriteMode struct {
	// KillSuid drops suid and sgid.
	KillSuid bool
	// Late says that the data comes from a cache some time after it was
	// written: the file's mtime stays until SetAttr says another.
	Late bool
}

// Write writes b at off.
func (u *Union) Write(n *Inode, b []byte, off int64, mode WriteMode) (int, error) {
	h, err := u.fileForWrite(n)
	if err != nil {
		return 0, err
	}
	defer h.release()
	if mode.KillSuid {
		if _, err := u.killSuid(n); err != nil {
			return 0, err
		}
	}
	if err := u.before(n, h, mode); err != nil {
		return 0, err
	}
	written, err := u.spendWrite(h.fd, b, off)
	if written > 0 {
		return written, nil
	}
	return written, err
}

// before readies a file for a change of its data.
func (u *Union) before(n *Inode, h *handle, mode WriteMode) error {
	if !mode.Late {
		return nil
	}
	return u.keepMtime(n, h.fd)
}

// Fallocate is fallocate(2). killed tells whether suid or sgid were dropped.
func (u *Union) Fallocate(n *Inode, mode uint32, off, length int64, how WriteMode) (killed bool, err error) {
	h, err := u.fileForWrite(n)
	if err != nil {
		return false, err
	}
	defer h.release()
	if err := u.before(n, h, how); err != nil {
		return false, err
	}
	need := length
	if mode&unix.FALLOC_FL_PUNCH_HOLE != 0 {
		need = 0
	}
	if err := u.spend(h.fd, "", need, func() error { return hostfs.Fallocate(h.fd, mode, off, length) }); err != nil {
		return false, err
	}
	if !how.KillSuid {
		return false, nil
	}
	return u.killSuid(n)
}

// Lseek is lseek(2) with SEEK_DATA or SEEK_HOLE.
func (u *Union) Lseek(n *Inode, off int64, whence int) (int64, error) {
	h, err := u.file(n)
	if err != nil {
		return 0, err
	}
	defer h.release()
	switch whence {
	case unix.SEEK_DATA:
		return hostfs.SeekData(h.fd, off)
	case unix.SEEK_HOLE:
		return hostfs.SeekHole(h.fd, off)
	}
	return 0, unix.EINVAL
}

// CopyRange is copy_file_range(2) inside the union.
func (u *Union) CopyRange(src *Inode, srcOff int64, dst *Inode, dstOff, length int64, how WriteMode) (copied int64, killed bool, err error) {
	to, err := u.fileForWrite(dst)
	if err != nil {
		return 0, false, err
	}
	defer to.release()
	from, err := u.file(src)
	if err != nil {
		return 0, false, err
	}
	defer from.release()
	if err := u.before(dst, to, how); err != nil {
		return 0, false, err
	}
	err = u.spend(to.fd, "", min(length, u.weight(from.fd)), func() error {
		copied, err = hostfs.CopyRange(to.fd, dstOff, from.fd, srcOff, length)
		return err
	})
	if copied > 0 {
		err = nil
	}
	if how.KillSuid && err == nil {
		killed, err = u.killSuid(dst)
	}
	return copied, killed, err
}
