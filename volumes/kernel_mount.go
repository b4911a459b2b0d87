package volumes

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// open makes the mount in no tree yet (fsmount(2), open_tree(2)).
func (k *kernelMount) open() (*os.File, error) {
	fd, err := -1, error(nil)
	if k.bind {
		fd, err = k.openBind()
	} else {
		fd, err = k.openFilesystem()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.what(), err)
	}
	return os.NewFile(uintptr(fd), k.device), nil
}

func (k *kernelMount) what() string {
	if k.bind {
		return "bind of " + k.device
	}
	return k.fstype + " of " + k.device
}

func (k *kernelMount) openBind() (int, error) {
	var st unix.Stat_t
	if err := unix.Stat(k.device, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return -1, unix.ENOTDIR
	}
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if k.deep {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, k.device, flags)
	if err != nil {
		return -1, err
	}
	return k.attributed(fd)
}

// attributed sets what is true of the mount; on failure the mount is gone.
func (k *kernelMount) attributed(fd int) (int, error) {
	if k.set == 0 && k.propagation == 0 {
		return fd, nil
	}
	attr := unix.MountAttr{Attr_set: k.set, Propagation: k.propagation}
	if k.set&(unix.MOUNT_ATTR_NOATIME|unix.MOUNT_ATTR_STRICTATIME) != 0 {
		attr.Attr_clr = unix.MOUNT_ATTR__ATIME // one of several values, not a bit (mount_setattr(2))
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (k *kernelMount) openFilesystem() (int, error) {
	source, done, err := k.source()
	if err != nil {
		return -1, err
	}
	defer done()
	fd, err := unix.Fsopen(k.fstype, unix.FSOPEN_CLOEXEC)
	if err == unix.ENODEV {
		return -1, errors.New("the kernel doesn't know this file system: modprobe may load it")
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	if err := k.configure(fd, source); err != nil {
		return -1, err
	}
	m, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, told(fd, err)
	}
	return k.attributed(m)
}

// source is the device, a loop device for a file. done is for after the mount.
func (k *kernelMount) source() (source string, done func(), err error) {
	nothing := func() {}
	if nodev(k.fstype) || !strings.HasPrefix(k.device, "/") {
		return k.device, nothing, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(k.device, &st); err != nil {
		return "", nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return k.device, nothing, nil
	}
	loop, err := attachLoop(k.device, k.set&unix.MOUNT_ATTR_RDONLY != 0)
	if err != nil {
		return "", nil, fmt.Errorf("a loop device for the file: %w", err)
	}
	return loop.Name(), func() { loop.Close() }, nil
}

func (k *kernelMount) configure(fd int, source string) error {
	if err := unix.FsconfigSetString(fd, "source", source); err != nil {
		return told(fd, err)
	}
	if k.set&unix.MOUNT_ATTR_RDONLY != 0 {
		// Of the file system too: one that can't be written mounts then.
		if err := unix.FsconfigSetFlag(fd, "ro"); err != nil {
			return told(fd, err)
		}
	}
	for _, o := range k.super {
		if err := k.option(fd, o); err != nil {
			return badOption("o", "%q: %v", o.key, told(fd, err))
		}
	}
	return told(fd, unix.FsconfigCreate(fd))
}

func (k *kernelMount) option(fd int, o superOption) error {
	if o.key == "addr" && isNetwork(k.fstype) {
		// Their helpers of mount(8) would look the name up; the kernel doesn't.
		ip, err := net.ResolveIPAddr("ip", o.value)
		if err != nil {
			return err
		}
		o.value = ip.String()
	}
	if o.value == "" {
		return unix.FsconfigSetFlag(fd, o.key)
	}
	return unix.FsconfigSetString(fd, o.key, o.value)
}

func isNetwork(fstype string) bool {
	return fstype == "nfs" || fstype == "nfs4" || fstype == "cifs" || fstype == "smb3"
}

// told adds the kernel's own words to an error, which it leaves in the
// descriptor of fsopen(2).
func told(fd int, err error) error {
	if err == nil {
		return nil
	}
	var words []string
	buf := make([]byte, 4096)
	for range 16 {
		n, rerr := unix.Read(fd, buf)
		if rerr != nil || n <= 0 {
			break
		}
		if text, isError := strings.CutPrefix(strings.TrimSpace(string(buf[:n])), "e "); isError {
			words = append(words, text)
		}
	}
	if len(words) == 0 {
		return err
	}
	return fmt.Errorf("%w (%s)", err, strings.Join(words, "; "))
}

// place puts a mount on a directory.
func place(mount *os.File, dir string) error {
	err := unix.MoveMount(int(mount.Fd()), "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH)
	if err != nil {
		return &os.PathError{Op: "mount on", Path: dir, Err: err}
	}
	return nil
}

// isMountpoint tells whether something is mounted on a directory. One whose
// server is dead can't be asked anything else.
func isMountpoint(dir string) (bool, error) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_INO, &st)
	if err == unix.ENOTCONN {
		return true, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "statx", Path: dir, Err: err}
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
