package sandbox

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// openSelf opens this program for execution in a sandbox, in a form that the
// sandbox can't write (CVE-2019-5736: a process of the sandbox opens
// /proc/PID/exe of ours and writes into it): through a read-only mount that is
// attached nowhere or, without the right to make one, as a sealed copy in
// memory.
func openSelf() (*os.File, error) {
	if f, err := selfOnReadOnlyMount(); err == nil {
		return f, nil
	}
	f, err := sealedSelf()
	if err != nil {
		return nil, fmt.Errorf("a copy of this program can't be made in memory: %w", err)
	}
	return f, nil
}

// selfOnReadOnlyMount clones the mount from the folder on and not from the file
// on: a file that is the root of its mount could be made writable again by
// mount_setattr(2) on it.
func selfOnReadOnlyMount() (*os.File, error) {
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, filepath.Dir(name), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return nil, err
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return nil, err
	}
	fd, err := unix.Openat(tree, filepath.Base(name), unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "self")
	// The path may lead to another program by now, that of an upgrade.
	if !sameFile(fd, "/proc/self/exe") {
		f.Close()
		return nil, os.ErrNotExist
	}
	return f, nil
}

func sameFile(fd int, path string) bool {
	var a, b unix.Stat_t
	return unix.Fstat(fd, &a) == nil && unix.Stat(path, &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

var (
	sealedOnce sync.Mutex
	sealed     *os.File
)

// sealedSelf copies this program once for all sandboxes of the process.
func sealedSelf() (*os.File, error) {
	sealedOnce.Lock()
	defer sealedOnce.Unlock()
	if sealed == nil {
		f, err := sealCopy()
		if err != nil {
			return nil, err
		}
		sealed = f
	}
	fd, err := unix.FcntlInt(sealed.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "self"), nil
}

func sealCopy() (_ *os.File, err error) {
	from, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer from.Close()
	f, err := memfd("unionfs", unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if _, err := io.Copy(f, from); err != nil {
		return nil, err
	}
	seals := unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, err
	}
	return f, nil
}

// memfd is memfd_create(2); kernels before 6.3 don't know MFD_EXEC, and make
// all of them executable.
func memfd(name string, flags int) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_CLOEXEC)
	if err == unix.EINVAL && flags&unix.MFD_EXEC != 0 {
		fd, err = unix.MemfdCreate(name, flags&^unix.MFD_EXEC|unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}
