package driver

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

const (
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"
)

func split(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// copy makes in the directory to what from has at the name: anything but a
// directory.
func (a *applier) copy(from, to int, name string, st *unix.Statx_t) error {
	switch kind := uint32(st.Mode) & unix.S_IFMT; kind {
	case unix.S_IFREG:
		return a.copyData(from, to, name, st)
	case unix.S_IFLNK:
		target, err := hostfs.Readlink(from, name)
		if err == nil {
			err = hostfs.Symlink(target, to, name)
		}
		if err != nil {
			return err
		}
	default:
		err := hostfs.Mknod(to, name, kind|0o600, unix.Mkdev(st.Rdev_major, st.Rdev_minor))
		if err == unix.EPERM {
			return fmt.Errorf("making the device %d:%d takes root: %w", st.Rdev_major, st.Rdev_minor, err)
		}
		if err != nil {
			return err
		}
	}
	return a.adorn(from, name, to, name, true)
}

// copyData copies a file, by sharing its extents where the file system can.
func (a *applier) copyData(from, to int, name string, st *unix.Statx_t) error {
	src, err := hostfs.Open(from, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(src)
	dst, err := hostfs.Open(to, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer hostfs.Close(dst)
	if err := hostfs.CopyData(dst, src, int64(st.Size), true); err != nil {
		return err
	}
	return a.adorn(src, "", dst, "", true)
}

// adorn gives an object of the tree the owner, attributes, mode and times of one
// of a layer, in this order: a change of owner clears set-id bits and
// capabilities, and an ACL changes the mode. What is fresh has no attributes that
// would have to go: default ACLs were out of the way when it was made.
func (a *applier) adorn(from int, fromName string, to int, toName string, fresh bool) error {
	var st unix.Statx_t
	if err := hostfs.Statx(from, fromName, &st); err != nil {
		return err
	}
	if err := hostfs.Chown(to, toName, st.Uid, st.Gid); err != nil {
		return fmt.Errorf("giving it to %d:%d: %w", st.Uid, st.Gid, err)
	}
	if err := a.xattrs(from, fromName, to, toName, fresh); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := hostfs.Chmod(to, toName, uint32(st.Mode)&0o7777); err != nil {
			return err
		}
	}
	return hostfs.Utimes(to, toName, hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

// xattrs copies the attributes that users of the layer see, under the names that
// users see: nothing in a flat tree is a mark. Those that an object had before,
// and that the layer doesn't have, go.
func (a *applier) xattrs(from int, fromName string, to int, toName string, fresh bool) error {
	names, err := xattrNames(from, fromName)
	if err != nil {
		return err
	}
	set := map[string]bool{}
	for _, disk := range names {
		shown, ok := whiteout.Unescape(disk)
		if isMetacopy(disk) {
			return fmt.Errorf("its data is elsewhere (%s), and no layer of an archive has that", disk)
		}
		if !ok || !travels(disk) {
			continue
		}
		set[shown] = true
		if err := a.setXattr(from, fromName, disk, to, toName, shown); err != nil {
			return fmt.Errorf("its attribute %s: %w", shown, err)
		}
	}
	if fresh {
		return nil
	}
	return dropXattrs(to, toName, set)
}

func xattrNames(dirfd int, name string) ([]string, error) {
	names, err := hostfs.ListxattrAll(dirfd, name)
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	return names, err
}

func (a *applier) setXattr(from int, fromName, disk string, to int, toName, shown string) error {
	value, err := hostfs.GetxattrAll(from, fromName, disk)
	if err == unix.ENODATA {
		return nil // of a list that names what can't be read, as some hosts' do
	}
	if err == nil {
		err = hostfs.Setxattr(to, toName, shown, value, 0)
	}
	if err == unix.EOPNOTSUPP {
		a.leaveOut(shown, err)
		return nil
	}
	return err
}

func (a *applier) leaveOut(attr string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.cannot[attr] {
		a.cannot[attr] = true
		a.warn("extended attributes " + attr + " are left out where they can't be set: " + err.Error())
	}
}

// dropXattrs removes all attributes but some.
func dropXattrs(dirfd int, name string, but map[string]bool) error {
	names, err := xattrNames(dirfd, name)
	if err != nil {
		return err
	}
	for _, attr := range names {
		if but[attr] || !travels(attr) {
			continue
		}
		if err := hostfs.Removexattr(dirfd, name, attr); err != nil && err != unix.ENODATA {
			return fmt.Errorf("removing its attribute %s: %w", attr, err)
		}
	}
	return nil
}

func isMetacopy(disk string) bool {
	return disk == whiteout.Trusted.Name(whiteout.Metacopy) || disk == whiteout.User.Name(whiteout.Metacopy)
}

// labels are attributes that the machine's security modules give to files.
var labels = []string{"security.selinux", "security.ima", "security.evm", "security.apparmor"}

// travels tells of an attribute whether it belongs to the file, and not to the
// machine, or to the file system that it is on.
func travels(name string) bool {
	switch {
	case slices.Contains(labels, name), strings.HasPrefix(name, "security.SMACK64"), strings.HasPrefix(name, "btrfs."):
		return false
	case strings.HasPrefix(name, "system."):
		return name == aclAccess || name == aclDefault
	}
	return true
}
