package fstest

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// open never follows a symlink at the end (so that the model needs no rule for
// creating through dangling ones) and never opens a fifo, socket or device:
// their drivers would answer, not the file system. Both say ENXIO instead.
func (h host) open(p string, flags int, mode uint32) (int, error) {
	var st unix.Stat_t
	if flags&unix.O_EXCL == 0 && unix.Lstat(h.path(p), &st) == nil && isSpecial(st.Mode) {
		return -1, unix.ENXIO
	}
	return unix.Open(h.path(p), flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
}

func isSpecial(mode uint32) bool {
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK:
		return true
	}
	return false
}

func (h host) create(o Op) error {
	fd, err := h.open(o.Path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, o.Mode)
	if err != nil {
		return err
	}
	return closeAfter(fd, pwriteAll(fd, o.Data, 0))
}

// put opens, writes Data at Off and closes.
func (h host) put(o Op, flags int) error {
	fd, err := h.open(o.Path, flags, 0o644)
	if err != nil {
		return err
	}
	return closeAfter(fd, pwriteAll(fd, o.Data, o.Off))
}

func closeAfter(fd int, err error) error {
	if cerr := unix.Close(fd); err == nil {
		return cerr
	}
	return err
}

func pwriteAll(fd int, data string, off int64) error {
	if fd < 0 {
		return unix.EBADF
	}
	if data == "" {
		return nil
	}
	n, err := unix.Pwrite(fd, []byte(data), off)
	if err == nil && n != len(data) {
		return fmt.Errorf("short write: %d of %d", n, len(data))
	}
	return err
}

func (h host) read(o Op) (Result, error) {
	fd, err := h.open(o.Path, unix.O_RDONLY, 0)
	if err != nil {
		return Result{}, err
	}
	r, err := readAll(fd)
	return r, closeAfter(fd, err)
}

func readAll(fd int) (Result, error) {
	var out []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Pread(fd, buf, int64(len(out)))
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return Result{Out: string(out)}, err
		}
		out = append(out, buf[:n]...)
	}
}

func (h host) fallocate(o Op) error {
	fd, err := h.open(o.Path, unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	return closeAfter(fd, unix.Fallocate(fd, uint32(o.Flags), o.Off, o.Len))
}

func (h host) truncate(o Op) error {
	return unix.Truncate(h.path(o.Path), o.Len)
}

// tmpfile gives an unnamed file a name by its link in /proc, as open(2) shows
// under O_TMPFILE; AT_EMPTY_PATH would need CAP_DAC_READ_SEARCH.
func (h host) tmpfile(o Op) error {
	fd, err := unix.Open(h.path(o.Path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, o.Mode)
	if err != nil {
		return err
	}
	if err := pwriteAll(fd, o.Data, 0); err != nil {
		return closeAfter(fd, err)
	}
	return closeAfter(fd, LinkFD(fd, h.path(o.To)))
}

// LinkFD names the file of an O_TMPFILE descriptor.
func LinkFD(fd int, path string) error {
	return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
}

func (h host) hold(o Op) error {
	if fd, ok := h.slots[o.Slot]; ok {
		delete(h.slots, o.Slot)
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	fd, err := h.open(o.Path, o.Flags, 0)
	if err == nil {
		h.slots[o.Slot] = fd
	}
	return err
}

func (h host) release(o Op) error {
	fd := h.fd(o.Slot)
	delete(h.slots, o.Slot)
	return unix.Close(fd)
}

func (h host) remount(Op) error {
	h.Close()
	if h.Remounted != nil {
		h.Remounted()
	}
	return nil
}
