package fstest

import "golang.org/x/sys/unix"

func (m *Model) read(o Op) (Result, unix.Errno) {
	n, errno := m.open(o.Path, unix.O_RDONLY, 0)
	if errno != 0 {
		return Result{}, errno
	}
	if isDir(n.mode) {
		return Result{}, unix.EISDIR
	}
	return Result{Out: string(n.data)}, 0
}

func (m *Model) hold(o Op) unix.Errno {
	delete(m.slots, o.Slot)
	n, errno := m.open(o.Path, o.Flags, 0)
	if errno == 0 {
		m.slots[o.Slot] = &handle{file: n, flags: o.Flags}
	}
	return errno
}

func (m *Model) release(o Op) unix.Errno {
	if m.slots[o.Slot] == nil {
		return unix.EBADF
	}
	delete(m.slots, o.Slot)
	return 0
}

func (m *Model) remount(Op) unix.Errno {
	clear(m.slots)
	return 0
}

func (h *handle) writable() bool { return h.flags&unix.O_ACCMODE != unix.O_RDONLY }
func (h *handle) readable() bool { return h.flags&unix.O_ACCMODE != unix.O_WRONLY }

func (m *Model) heldWrite(o Op) unix.Errno {
	h := m.slots[o.Slot]
	if h == nil || !h.writable() {
		return unix.EBADF
	}
	off := o.Off
	if h.flags&unix.O_APPEND != 0 {
		off = int64(len(h.file.data)) // also for pwrite: pwrite(2), BUGS
	}
	h.file.write(o.Data, off)
	return 0
}

func (m *Model) heldRead(o Op) (Result, unix.Errno) {
	h := m.slots[o.Slot]
	switch {
	case h == nil || !h.readable():
		return Result{}, unix.EBADF
	case isDir(h.file.mode):
		return Result{}, unix.EISDIR
	}
	return Result{Out: string(h.file.data)}, 0
}

func (m *Model) heldStat(o Op) (Result, unix.Errno) {
	h := m.slots[o.Slot]
	if h == nil {
		return Result{}, unix.EBADF
	}
	return Result{Stat: h.file.stat()}, 0
}

// heldTruncate checks as do_ftruncate() does.
func (m *Model) heldTruncate(o Op) unix.Errno {
	h := m.slots[o.Slot]
	switch {
	case h == nil:
		return unix.EBADF
	case !isReg(h.file.mode) || !h.writable():
		return unix.EINVAL
	}
	h.file.resize(o.Len)
	return 0
}

// heldReaddir of a removed directory is ENOENT: IS_DEADDIR in iterate_dir().
func (m *Model) heldReaddir(o Op) (Result, unix.Errno) {
	h := m.slots[o.Slot]
	switch {
	case h == nil:
		return Result{}, unix.EBADF
	case !isDir(h.file.mode):
		return Result{}, unix.ENOTDIR
	case h.file.nlink == 0:
		return Result{}, unix.ENOENT
	}
	return Result{Out: h.file.list()}, 0
}

func (m *Model) heldSync(o Op) unix.Errno {
	if m.slots[o.Slot] == nil {
		return unix.EBADF
	}
	return 0
}
