package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Clone makes a mount of a host's file or directory that is in no tree, as
// Mount.Fd takes it: the path means what it means to the caller, whatever rights
// the sandbox has. With deep what is mounted below comes along.
func Clone(path string, deep bool) (*os.File, error) {
	fd, err := cloneMount(path, deep)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// MapIDs makes a mount that is in no tree an id-mapped one. It takes a right on
// the file system, which the root of a user namespace has on those alone that
// it made.
func MapIDs(mount *os.File, m IDMaps, deep bool) error {
	ns, err := mappedNamespace(m)
	if err != nil {
		return err
	}
	defer ns.Close()
	return mapMount(int(mount.Fd()), ns, deep)
}

// part makes a mount of what is at a path in another one. What is in no tree
// can't be cloned before Linux 6.15: for a moment it stands over the root, where
// nobody is.
func (in *inside) part(whole int, name string) (int, error) {
	if err := unix.MoveMount(whole, "", in.root, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return -1, fmt.Errorf("can't be attached: %w", err)
	}
	fd, err := clonePart(whole, name)
	if derr := unix.Unmount(fmt.Sprintf("/proc/thread-self/fd/%d", whole), unix.MNT_DETACH); err == nil && derr != nil {
		unix.Close(fd)
		return -1, derr
	}
	return fd, err
}

func clonePart(whole int, name string) (int, error) {
	at, err := resolve(whole, name)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	fd, err := unix.OpenTree(at, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	return fd, pathError(err, name)
}
