package sandbox

import (
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// copyUp copies what is in the directory from to the directory to, with owners,
// modes, times and extended attributes. Links aren't followed.
func copyUp(from, to int) error {
	src, err := openDir(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := openDir(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	return copyEntries(src, dst)
}

// copyUpBut is copyUp for a tmpfs whose options say what its root is like: what
// they say stays.
func copyUpBut(from, to int, options []string) error {
	var st unix.Stat_t
	if err := unix.Fstat(to, &st); err != nil {
		return err
	}
	if err := copyUp(from, to); err != nil {
		return err
	}
	said := func(key string) bool {
		return slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, key+"=") })
	}
	uid, gid := -1, -1
	if said("uid") {
		uid = int(st.Uid)
	}
	if said("gid") {
		gid = int(st.Gid)
	}
	dir, err := openDir(to)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Fchown(int(dir.Fd()), uid, gid); err != nil || !said("mode") {
		return err
	}
	return unix.Fchmod(int(dir.Fd()), st.Mode&0o7777)
}

// openDir reopens an O_PATH descriptor for reading.
func openDir(fd int) (*os.File, error) {
	opened, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(opened), "."), nil
}

func copyEntries(src, dst *os.File) error {
	names, err := src.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := copyEntry(src, dst, name); err != nil {
			return pathError(err, name)
		}
	}
	return copyMetadata(src, dst)
}

func copyEntry(src, dst *os.File, name string) error {
	var st unix.Stat_t
	from, to := int(src.Fd()), int(dst.Fd())
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return copyDir(from, to, name)
	case unix.S_IFREG:
		return copyFile(from, to, name)
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(from, name, buf)
		if err != nil {
			return err
		}
		if err := unix.Symlinkat(string(buf[:n]), to, name); err != nil {
			return err
		}
		return ignoreUnmapped(unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW))
	case unix.S_IFSOCK:
		return nil // nobody listens to a copy
	}
	if err := unix.Mknodat(to, name, st.Mode, int(st.Rdev)); err != nil {
		return err
	}
	return ignoreUnmapped(unix.Fchownat(to, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW))
}

func openBoth(from, to int, name string, flags, create int) (src, dst *os.File, err error) {
	a, err := unix.Openat(from, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, nil, err
	}
	b, err := unix.Openat(to, name, create|unix.O_NOFOLLOW|unix.O_CLOEXEC|flags, 0o600)
	if err != nil {
		unix.Close(a)
		return nil, nil, err
	}
	return os.NewFile(uintptr(a), name), os.NewFile(uintptr(b), name), nil
}

func copyDir(from, to int, name string) error {
	if err := unix.Mkdirat(to, name, 0o700); err != nil {
		return err
	}
	src, dst, err := openBoth(from, to, name, unix.O_DIRECTORY, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer src.Close()
	defer dst.Close()
	return copyEntries(src, dst)
}

func copyFile(from, to int, name string) error {
	src, dst, err := openBoth(from, to, name, 0, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer src.Close()
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	return copyMetadata(src, dst)
}

func copyMetadata(src, dst *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(src.Fd()), &st); err != nil {
		return err
	}
	fd := int(dst.Fd())
	if err := ignoreUnmapped(unix.Fchown(fd, int(st.Uid), int(st.Gid))); err != nil {
		return err
	}
	// After chown(2), which clears setuid bits.
	if err := unix.Fchmod(fd, st.Mode&0o7777); err != nil {
		return err
	}
	copyXattrs(int(src.Fd()), fd)
	return unix.UtimesNanoAt(unix.AT_FDCWD, path.Join("/proc/self/fd", strconv.Itoa(fd)), []unix.Timespec{st.Atim, st.Mtim}, 0)
}

// ignoreUnmapped lets ids be that this namespace has no number for.
func ignoreUnmapped(err error) error {
	if err == unix.EINVAL || err == unix.EPERM {
		return nil
	}
	return err
}

// copyXattrs copies what tmpfs takes; not all names can be had there.
func copyXattrs(src, dst int) {
	names := make([]byte, 64<<10)
	n, err := unix.Flistxattr(src, names)
	if err != nil {
		return
	}
	value := make([]byte, 64<<10)
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if size, err := unix.Fgetxattr(src, name, value); err == nil {
			_ = unix.Fsetxattr(dst, name, value[:size], 0)
		}
	}
}
