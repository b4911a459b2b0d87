package driver

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelMount is a mount that needs no process.
type kernelMount struct{ target string }

func (kernelMount) Serves() bool { return false }
func (kernelMount) Wait() error  { return nil }

func (m kernelMount) Unmount() error {
	err := unix.Unmount(m.target, unix.UMOUNT_NOFOLLOW)
	if err == unix.EBUSY {
		return fmt.Errorf("%s is in use: end its users first", m.target)
	}
	if err != nil {
		return fmt.Errorf("%s: unmount: %w", m.target, err)
	}
	return nil
}

// detachedMount is one that was made in no tree.
type detachedMount struct{ release func() }

func (detachedMount) Serves() bool { return false }
func (detachedMount) Wait() error  { return nil }

// Unmount says that whoever had the mount is gone.
func (m detachedMount) Unmount() error {
	m.release()
	return nil
}

// bind shows a directory at another place.
func bind(dir, target string, o MountOptions) (Mount, error) {
	file, err := clone(dir, o)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := unix.MoveMount(int(file.Fd()), "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return nil, fmt.Errorf("bind of %s on %s: %w", dir, target, err)
	}
	return kernelMount{target}, nil
}

// clone makes a mount of a directory that is in no tree, so that nobody sees it
// before it has its attributes.
func clone(dir string, o MountOptions) (*os.File, error) {
	attrs, err := mountAttrs(o.Options)
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		attrs |= unix.MOUNT_ATTR_RDONLY
	}
	if !mayMount() {
		return nil, fmt.Errorf("%s can't be mounted: this process may not; run it as root, or inside unionfs unshare", dir)
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("bind of %s: %w", dir, err)
	}
	file := os.NewFile(uintptr(fd), dir)
	if attrs != 0 {
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: uint64(attrs)}); err != nil {
			file.Close()
			return nil, fmt.Errorf("bind of %s: %w", dir, err)
		}
	}
	return file, nil
}

// generalOptions are those that are attributes of a mount, and of no file
// system (mount_setattr(2)). What is the default anyway is zero.
var generalOptions = map[string]int{
	"ro": unix.MOUNT_ATTR_RDONLY, "nosuid": unix.MOUNT_ATTR_NOSUID, "nodev": unix.MOUNT_ATTR_NODEV,
	"noexec": unix.MOUNT_ATTR_NOEXEC, "noatime": unix.MOUNT_ATTR_NOATIME, "nodiratime": unix.MOUNT_ATTR_NODIRATIME,
	"nosymfollow": unix.MOUNT_ATTR_NOSYMFOLLOW,
	"rw":          0, "suid": 0, "dev": 0, "exec": 0, "atime": 0, "diratime": 0, "relatime": 0, "allow_other": 0, "allow_root": 0,
}

func mountAttrs(options []string) (int, error) {
	attrs := 0
	for _, option := range options {
		bit, ok := generalOptions[option]
		if !ok {
			return 0, fmt.Errorf("mount option %q isn't known to this storage driver", option)
		}
		attrs |= bit
	}
	return attrs, nil
}

// setAttrs changes a mount that is there.
func setAttrs(target string, attrs int) error {
	if attrs == 0 {
		return nil
	}
	err := unix.MountSetattr(unix.AT_FDCWD, target, 0, &unix.MountAttr{Attr_set: uint64(attrs)})
	if err != nil {
		_ = unix.Unmount(target, unix.MNT_DETACH) // half of what was asked for is nothing
	}
	return err
}

// mayMount tells whether this process has CAP_SYS_ADMIN, over its mount
// namespace's owner.
func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// inInitialUserNS tells whether ids are the machine's own.
func inInitialUserNS() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}
