package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// backingMap is struct fuse_backing_map of include/uapi/linux/fuse.h.
type backingMap struct {
	fd    int32
	flags uint32
	_     uint64
}

const (
	backingOpen  = 1<<30 | 16<<16 | 229<<8 | 1 // FUSE_DEV_IOC_BACKING_OPEN
	backingClose = 1<<30 | 4<<16 | 229<<8 | 2  // FUSE_DEV_IOC_BACKING_CLOSE
)

// OpenBacking registers the file that a descriptor names, for which O_PATH will
// do, so that opens answered with its id pass through to it. The caller's thread
// must be locked: the kernel will read and write with its credentials, from
// which CAP_FSETID is taken, so that writes clear suid bits (backing_file_write_
// iter). It takes CAP_SYS_ADMIN in the initial user namespace.
func (s *Server) OpenBacking(fd int) (id int32, err error) {
	m := backingMap{fd: int32(fd)}
	err = withoutFSetID(func() error {
		got, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.dev.fd), backingOpen, uintptr(unsafe.Pointer(&m)))
		if errno != 0 {
			return errno
		}
		id = int32(got)
		return nil
	})
	return id, err
}

// CloseBacking gives an id back. Files that are open stay so.
func (s *Server) CloseBacking(id int32) {
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(s.dev.fd), backingClose, uintptr(unsafe.Pointer(&id)))
}

// withoutFSetID runs do while this thread lacks the capability.
func withoutFSetID(do func() error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return err
	}
	lacks := had
	lacks[0].Effective &^= 1 << unix.CAP_FSETID
	if err := unix.Capset(&header, &lacks[0]); err != nil {
		return err
	}
	err := do()
	if back := unix.Capset(&header, &had[0]); err == nil {
		err = back
	}
	return err
}
