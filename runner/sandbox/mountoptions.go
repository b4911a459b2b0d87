package sandbox

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// mountOptions are a mount's words, sorted by who understands them.
type mountOptions struct {
	set, clear uint64 // attributes of the mount (mount_setattr(2))
	// recursive binds bring what is mounted below their source; attributes of
	// the mount are for the topmost alone, deep ones for all.
	recursive bool
	deepSet   uint64
	// propagation, and whether it is for all below as well.
	propagation     uint64
	propagationDeep bool
	// data are the file system's own words.
	data []string
}

// attributes are the words for what a mount, not a file system, does; those
// with clear take one away.
var attributes = map[string]struct {
	bit   uint64
	clear bool
}{
	"ro": {bit: unix.MOUNT_ATTR_RDONLY}, "rw": {bit: unix.MOUNT_ATTR_RDONLY, clear: true},
	"nosuid": {bit: unix.MOUNT_ATTR_NOSUID}, "suid": {bit: unix.MOUNT_ATTR_NOSUID, clear: true},
	"nodev": {bit: unix.MOUNT_ATTR_NODEV}, "dev": {bit: unix.MOUNT_ATTR_NODEV, clear: true},
	"noexec": {bit: unix.MOUNT_ATTR_NOEXEC}, "exec": {bit: unix.MOUNT_ATTR_NOEXEC, clear: true},
	"nodiratime": {bit: unix.MOUNT_ATTR_NODIRATIME}, "diratime": {bit: unix.MOUNT_ATTR_NODIRATIME, clear: true},
	"nosymfollow": {bit: unix.MOUNT_ATTR_NOSYMFOLLOW}, "symfollow": {bit: unix.MOUNT_ATTR_NOSYMFOLLOW, clear: true},
}

// accessTimes exclude each other.
var accessTimes = map[string]uint64{
	"relatime": unix.MOUNT_ATTR_RELATIME, "noatime": unix.MOUNT_ATTR_NOATIME, "strictatime": unix.MOUNT_ATTR_STRICTATIME,
}

var propagations = map[string]uint64{
	"private": unix.MS_PRIVATE, "slave": unix.MS_SLAVE, "shared": unix.MS_SHARED, "unbindable": unix.MS_UNBINDABLE,
}

// deepAttributes hold for everything below a recursive bind (the words of
// util-linux and of runc).
var deepAttributes = map[string]uint64{
	"rro": unix.MOUNT_ATTR_RDONLY, "rnosuid": unix.MOUNT_ATTR_NOSUID, "rnodev": unix.MOUNT_ATTR_NODEV,
	"rnoexec": unix.MOUNT_ATTR_NOEXEC, "rnosymfollow": unix.MOUNT_ATTR_NOSYMFOLLOW,
}

func parseMountOptions(words []string) (o mountOptions) {
	for _, w := range words {
		o.add(w)
	}
	return o
}

func (o *mountOptions) add(word string) {
	if a, ok := attributes[word]; ok {
		if a.clear {
			o.clear, o.set = o.clear|a.bit, o.set&^a.bit
		} else {
			o.set, o.clear = o.set|a.bit, o.clear&^a.bit
		}
		return
	}
	if bits, ok := accessTimes[word]; ok {
		// The kernel wants the whole field cleared (mount_setattr(2)).
		o.set, o.clear = o.set&^unix.MOUNT_ATTR__ATIME|bits, o.clear|unix.MOUNT_ATTR__ATIME
		return
	}
	if bit, ok := deepAttributes[word]; ok {
		o.deepSet |= bit
		return
	}
	if p, ok := propagations[word]; ok {
		o.propagation, o.propagationDeep = p, false
		return
	}
	if p, ok := propagations[strings.TrimPrefix(word, "r")]; ok {
		o.propagation, o.propagationDeep = p, true
		return
	}
	switch word {
	case "bind", "defaults", "":
	case "rbind":
		o.recursive = true
	default:
		o.data = append(o.data, word)
	}
}

// apply gives a mount, which may be a detached one, what was asked for. Flags
// are added only: those that a mount brings into a user namespace are locked
// there, and taking one away is asked of the kernel only where it was asked of
// us.
func (o *mountOptions) apply(fd int) error {
	attr := unix.MountAttr{Attr_set: o.set, Attr_clr: o.clear}
	if attr.Attr_set|attr.Attr_clr != 0 {
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
			return fmt.Errorf("its flags can't be set: %w%s", err, lockedAdvice(err))
		}
	}
	if o.deepSet != 0 {
		attr := unix.MountAttr{Attr_set: o.deepSet}
		if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
			return fmt.Errorf("the flags of all below can't be set: %w", err)
		}
	}
	return o.propagate(fd)
}

func lockedAdvice(err error) string {
	if err == unix.EPERM {
		return " (a user namespace can't take away ro, nosuid, nodev or noexec of a mount that it got)"
	}
	return ""
}

func (o *mountOptions) propagate(fd int) error {
	if o.propagation == 0 {
		return nil
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if o.propagationDeep {
		flags |= unix.AT_RECURSIVE
	}
	if err := unix.MountSetattr(fd, "", flags, &unix.MountAttr{Propagation: o.propagation}); err != nil {
		return fmt.Errorf("its propagation can't be set: %w", err)
	}
	return nil
}
