package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// The calls for subvolumes of include/uapi/linux/btrfs.h. The first three take
// the name of an entry of the directory that they are made on.
const (
	btrfsSubvolCreate   = 1<<30 | unsafe.Sizeof(btrfsVolArgs{})<<16 | 0x94<<8 | 14
	btrfsSnapDestroy    = 1<<30 | unsafe.Sizeof(btrfsVolArgs{})<<16 | 0x94<<8 | 15
	btrfsSnapCreateV2   = 1<<30 | unsafe.Sizeof(btrfsVolArgsV2{})<<16 | 0x94<<8 | 23
	btrfsSubvolSetFlags = 1<<30 | unsafe.Sizeof(uint64(0))<<16 | 0x94<<8 | 26
)

// btrfsReadOnly is BTRFS_SUBVOL_RDONLY.
const btrfsReadOnly = 1 << 1

// btrfsVolArgs is struct btrfs_ioctl_vol_args.
type btrfsVolArgs struct {
	fd   int64
	name [4088]byte
}

// btrfsVolArgsV2 is struct btrfs_ioctl_vol_args_v2.
type btrfsVolArgsV2 struct {
	fd            int64
	transid       uint64
	flags         uint64
	quotaOrUnused [4]uint64
	name          [4040]byte
}

// subvolume makes a call on the directory that path is in.
func subvolume(request uintptr, what, path string, field []byte, args unsafe.Pointer) error {
	name := filepath.Base(path)
	if copy(field[:len(field)-1], name) != len(name) {
		return fmt.Errorf("%s %s: %w", what, path, unix.ENAMETOOLONG)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	if errno := ioctl(dir, request, args); errno != 0 {
		return fmt.Errorf("%s %s: %w", what, path, errno)
	}
	return nil
}

func ioctl(f *os.File, request uintptr, args unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), request, uintptr(args))
	return errno
}

func createSubvolume(path string) error {
	var args btrfsVolArgs
	return subvolume(btrfsSubvolCreate, "btrfs: making the subvolume", path, args.name[:], unsafe.Pointer(&args))
}

// snapshotSubvolume makes a snapshot of from: writable, or btrfsReadOnly.
func snapshotSubvolume(path, from string, flags uint64) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	args := btrfsVolArgsV2{fd: int64(f.Fd()), flags: flags}
	return subvolume(btrfsSnapCreateV2, "btrfs: making the snapshot", path, args.name[:], unsafe.Pointer(&args))
}

// deleteSubvolume takes CAP_SYS_ADMIN on the machine, or the mount option
// user_subvol_rm_allowed. Who has neither removes the files and then the empty
// subvolume, which rmdir(2) does since Linux 4.18. One that isn't there is fine.
func deleteSubvolume(path string) error {
	if !exists(path) {
		return nil
	}
	var args btrfsVolArgs
	err := subvolume(btrfsSnapDestroy, "btrfs: deleting the subvolume", path, args.name[:], unsafe.Pointer(&args))
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
		return err
	}
	if err := makeWritable(path); err != nil {
		return err
	}
	return emptyAndRemove(path)
}

// makeWritable clears the flags of a subvolume.
func makeWritable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var flags uint64
	if errno := ioctl(f, btrfsSubvolSetFlags, unsafe.Pointer(&flags)); errno != 0 {
		return fmt.Errorf("btrfs: making the subvolume %s writable: %w", path, errno)
	}
	return nil
}

func emptyAndRemove(path string) error {
	parent, err := hostfs.OpenLayer(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer hostfs.Close(parent)
	if err := hostfs.RemoveAll(parent, filepath.Base(path)); err != nil {
		return fmt.Errorf("btrfs: removing the subvolume %s: %w", path, err)
	}
	return nil
}
