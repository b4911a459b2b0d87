package hostfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Chown sets owner and group; ^uint32(0) keeps one as it is.
func Chown(dirfd int, name string, uid, gid uint32) error {
	_, err := callName(unix.SYS_FCHOWNAT, dirfd, name, uintptr(uid), uintptr(gid), nofollow(name))
	return err
}

// Chmod sets the permission bits. A symlink has none to set: EOPNOTSUPP.
func Chmod(dirfd int, name string, mode uint32) error {
	mode &= 0o7777
	if hasFchmodat2.present() {
		_, err := callName(unix.SYS_FCHMODAT2, dirfd, name, uintptr(mode), nofollow(name), 0)
		return err
	}
	return chmodByProc(dirfd, name, mode)
}

// chmodByProc is for kernels before 6.6, whose fchmodat has no flags.
func chmodByProc(dirfd int, name string, mode uint32) error {
	fd := dirfd
	if name != "" {
		var err error
		if fd, err = Open(dirfd, name, unix.O_PATH, 0); err != nil {
			return err
		}
		defer Close(fd)
	}
	if isSymlink(fd, "") {
		return unix.EOPNOTSUPP // old kernels would change some file systems' links
	}
	proc, err := procFD()
	if err != nil {
		return err
	}
	var buf [procNameSize]byte
	_, err = callName(unix.SYS_FCHMODAT, proc, procName(&buf, fd), uintptr(mode), 0, 0)
	return noProc(err)
}

// Utimes sets the access and the modification time. UTIME_NOW and UTIME_OMIT
// in Nsec have their meaning of utimensat(2).
func Utimes(dirfd int, name string, atime, mtime unix.Timespec) error {
	ts := [2]unix.Timespec{atime, mtime}
	err := utimensat(dirfd, name, &ts, nofollow(name))
	if name == "" && err == unix.EINVAL {
		// AT_EMPTY_PATH came to utimensat in 5.8.
		if proc, perr := procFD(); perr == nil {
			var buf [procNameSize]byte
			return noProc(utimensat(proc, procName(&buf, dirfd), &ts, 0))
		}
	}
	return err
}

// Timespec turns what Statx answers into what Utimes takes.
func Timespec(t unix.StatxTimestamp) unix.Timespec {
	return unix.Timespec{Sec: t.Sec, Nsec: int64(t.Nsec)}
}

func utimensat(dirfd int, name string, ts *[2]unix.Timespec, flags uintptr) error {
	var buf [nameSize]byte
	p, err := cname(&buf, name)
	if err != nil {
		return err
	}
	for {
		_, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(dirfd), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(ts)), flags, 0, 0)
		if e != unix.EINTR {
			return answer(e)
		}
	}
}

// GetFlags reads the FS_*_FL flags (FS_IOC_GETFLAGS); fd isn't O_PATH.
func GetFlags(fd int) (uint32, error) {
	// The kernel moves an int, whatever the request number says of a long.
	var v [2]uint32
	err := ioctl(fd, unix.FS_IOC_GETFLAGS, unsafe.Pointer(&v))
	return v[0], err
}

// SetFlags sets them all (FS_IOC_SETFLAGS).
func SetFlags(fd int, flags uint32) error {
	v := [2]uint32{flags}
	return ioctl(fd, unix.FS_IOC_SETFLAGS, unsafe.Pointer(&v))
}

// Fsxattr is struct fsxattr: the FS_XFLAG_* flags and the project id, for the
// host to understand.
type Fsxattr [28]byte

const (
	fsGetXattr = 0x801c581f // FS_IOC_FSGETXATTR
	fsSetXattr = 0x401c5820 // FS_IOC_FSSETXATTR
)

// GetFsxattr reads them (FS_IOC_FSGETXATTR); fd isn't O_PATH.
func GetFsxattr(fd int, x *Fsxattr) error { return ioctl(fd, fsGetXattr, unsafe.Pointer(x)) }

// SetFsxattr sets them all (FS_IOC_FSSETXATTR).
func SetFsxattr(fd int, x *Fsxattr) error { return ioctl(fd, fsSetXattr, unsafe.Pointer(x)) }

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
		if e != unix.EINTR {
			return answer(e)
		}
	}
}
