package transport

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount makes target the root of a new FUSE mount: directly where we may, else
// through fusermount3. Its requests wait for a Server. Errors are sentences
// for the user.
func Mount(target string, o MountOptions) (*Device, error) {
	path, err := checkTarget(target)
	if err != nil {
		return nil, err
	}
	d, err := mountDirectly(path, o)
	if err != unix.EPERM {
		return d, err
	}
	if unix.Geteuid() == 0 {
		// The helper has no more rights than root without capabilities.
		return nil, fmt.Errorf("%s: mounting takes CAP_SYS_ADMIN: in a container give it --cap-add SYS_ADMIN, or use a user namespace (unshare -Urm)", target)
	}
	return mountByHelper(path, o)
}

// checkTarget answers the target's absolute path without symlinks.
func checkTarget(target string) (string, error) {
	path, err := filepath.Abs(target)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return "", fmt.Errorf("%s: no such directory to mount on: make it first", target)
	case errors.Is(err, unix.ENOTCONN):
		return "", fmt.Errorf("%s: a dead FUSE mount is there: unmount it first (umount %s)", target, target)
	case err != nil:
		return "", fmt.Errorf("%s: can't mount here: %w", target, err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", fmt.Errorf("%s: can't mount here: %w", target, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return "", fmt.Errorf("%s: not a directory: a union is mounted on a directory", target)
	}
	return path, nil
}

// mountDirectly uses mount(2), which takes CAP_SYS_ADMIN over the mount
// namespace. It answers a bare EPERM when that is missing.
func mountDirectly(path string, o MountOptions) (*Device, error) {
	if !mayMount() {
		return nil, unix.EPERM
	}
	d, err := openDevice()
	if err != nil {
		return nil, err
	}
	p := o.parse()
	// The device is open in our user namespace, whose root the ids mean.
	data := append([]string{
		fmt.Sprintf("fd=%d", d.fd), "rootmode=40000",
		fmt.Sprintf("user_id=%d", unix.Geteuid()), fmt.Sprintf("group_id=%d", unix.Getegid()),
		"default_permissions", "allow_other",
	}, p.data...)
	err = unix.Mount(o.source(), path, "fuse."+o.subtype(), p.flags, strings.Join(data, ","))
	if err == nil && p.private {
		if err = unix.Mount("", path, "", unix.MS_PRIVATE, ""); err != nil {
			_ = unix.Unmount(path, unix.MNT_DETACH) // the first error counts
			err = fmt.Errorf("make it private: %w", err)
		}
	}
	if err == nil {
		return d, nil
	}
	d.Close()
	if err == unix.EPERM {
		return nil, err
	}
	return nil, mountError(path, err)
}

func mountError(path string, err error) error {
	switch err {
	case unix.ENODEV:
		return errors.New("the kernel knows no FUSE: load the module (modprobe fuse)")
	case unix.EINVAL:
		return fmt.Errorf("%s: the kernel refuses the mount options: %w", path, err)
	}
	return fmt.Errorf("%s: mount: %w", path, err)
}

// mayMount tells whether we have CAP_SYS_ADMIN in our user namespace.
func mayMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return unix.Geteuid() == 0
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}
