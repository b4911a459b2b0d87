package transport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MountDetached makes a FUSE mount that is nowhere in any tree (fsmount(2)):
// whoever gets the descriptor may put it in a place, in this mount namespace or
// another one of the same user namespace. It is gone with its last descriptor
// and place. The caller closes the descriptor.
func MountDetached(o MountOptions) (d *Device, mount int, err error) {
	if !mayMount() {
		return nil, -1, errors.New("mounting takes CAP_SYS_ADMIN: use a user namespace (unshare -Urm)")
	}
	if d, err = openDevice(); err != nil {
		return nil, -1, err
	}
	if mount, err = o.mountDetached(d.fd); err != nil {
		d.Close()
		return nil, -1, mountError("the detached mount", err)
	}
	return d, mount, nil
}

func (o MountOptions) mountDetached(device int) (int, error) {
	fs, err := unix.Fsopen("fuse", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	p := o.parse()
	words := append([]string{
		"source=" + o.source(), "subtype=" + o.subtype(), "fd=" + strconv.Itoa(device), "rootmode=40000",
		fmt.Sprintf("user_id=%d", unix.Geteuid()), fmt.Sprintf("group_id=%d", unix.Getegid()),
		"default_permissions", "allow_other",
	}, p.data...)
	if p.flags&unix.MS_RDONLY != 0 {
		words = append(words, "ro")
	}
	for _, word := range words {
		if err := configure(fs, word); err != nil {
			return -1, fmt.Errorf("%s: %w", word, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, p.attrs())
}

func configure(fs int, word string) error {
	key, value, ok := strings.Cut(word, "=")
	if !ok {
		return unix.FsconfigSetFlag(fs, key)
	}
	return unix.FsconfigSetString(fs, key, value)
}

// attrs are the flags of mount(2) that mounts have, as fsmount(2) names them.
func (p parsed) attrs() int {
	attrs := 0
	for flag, attr := range map[uintptr]int{
		unix.MS_RDONLY: unix.MOUNT_ATTR_RDONLY, unix.MS_NOSUID: unix.MOUNT_ATTR_NOSUID,
		unix.MS_NODEV: unix.MOUNT_ATTR_NODEV, unix.MS_NOEXEC: unix.MOUNT_ATTR_NOEXEC,
		unix.MS_NODIRATIME: unix.MOUNT_ATTR_NODIRATIME,
	} {
		if p.flags&flag != 0 {
			attrs |= attr
		}
	}
	switch { // one of three, not flags (mount_setattr(2), MOUNT_ATTR__ATIME)
	case p.flags&unix.MS_NOATIME != 0:
		attrs |= unix.MOUNT_ATTR_NOATIME
	case p.flags&unix.MS_STRICTATIME != 0:
		attrs |= unix.MOUNT_ATTR_STRICTATIME
	}
	return attrs
}
