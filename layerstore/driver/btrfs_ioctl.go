package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls for subvolumes of include/uapi/linux/btrfs.h: all take the name of
// an entry of the directory that they are made on.
const (
	btrfsSnapCreate   = 1<<30 | unsafe.Sizeof(btrfsVolArgs{})<<16 | 0x94<<8 | 1
	btrfsSubvolCreate = 1<<30 | unsafe.Sizeof(btrfsVolArgs{})<<16 | 0x94<<8 | 14
	btrfsSnapDestroy  = 1<<30 | unsafe.Sizeof(btrfsVolArgs{})<<16 | 0x94<<8 | 15
)

// btrfsVolArgs is struct btrfs_ioctl_vol_args.
type btrfsVolArgs struct {
	fd   int64
	name [4088]byte
}

// subvolume calls one of them for path; source is a descriptor or 0.
func subvolume(request uintptr, what, path string, source int) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	args := btrfsVolArgs{fd: int64(source)}
	if copy(args.name[:len(args.name)-1], filepath.Base(path)) != len(filepath.Base(path)) {
		return unix.ENAMETOOLONG
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), request, uintptr(unsafe.Pointer(&args)))
	if errno != 0 {
		return fmt.Errorf("%s %s: %w", what, path, errno)
	}
	return nil
}

func createSubvolume(path string) error {
	return subvolume(btrfsSubvolCreate, "btrfs: making the subvolume", path, 0)
}

// snapshotSubvolume makes a writable snapshot of from.
func snapshotSubvolume(path, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return subvolume(btrfsSnapCreate, "btrfs: making the snapshot", path, int(f.Fd()))
}

// deleteSubvolume needs CAP_SYS_ADMIN, or the mount option
// user_subvol_rm_allowed. One that isn't there is fine.
func deleteSubvolume(path string) error {
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return nil
	}
	return subvolume(btrfsSnapDestroy, "btrfs: deleting the subvolume", path, 0)
}
