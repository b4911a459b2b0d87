package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// change is what a general option does to the flags of a mount.
type change struct{ set, clear uintptr }

// remountChanges are the options that a mount can change while it is in use.
var remountChanges = map[string]change{
	"ro":     {set: unix.MS_RDONLY},
	"rw":     {clear: unix.MS_RDONLY},
	"nosuid": {set: unix.MS_NOSUID}, "suid": {clear: unix.MS_NOSUID},
	"nodev": {set: unix.MS_NODEV}, "dev": {clear: unix.MS_NODEV},
	"noexec": {set: unix.MS_NOEXEC}, "exec": {clear: unix.MS_NOEXEC},
	"sync": {set: unix.MS_SYNCHRONOUS}, "async": {clear: unix.MS_SYNCHRONOUS},
	"dirsync":    {set: unix.MS_DIRSYNC},
	"nodiratime": {set: unix.MS_NODIRATIME}, "diratime": {clear: unix.MS_NODIRATIME},
	"noatime":     {set: unix.MS_NOATIME, clear: unix.MS_RELATIME | unix.MS_STRICTATIME},
	"atime":       {clear: unix.MS_NOATIME},
	"relatime":    {set: unix.MS_RELATIME, clear: unix.MS_NOATIME | unix.MS_STRICTATIME},
	"norelatime":  {clear: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME, clear: unix.MS_NOATIME | unix.MS_RELATIME},
}

// fuseMagic is the file system type that statfs(2) tells of every FUSE mount.
const fuseMagic = 0x65735546

// remount changes the flags of the mount at target by the words in options,
// and leaves the others. Layers can't be changed: mount(8) gives those of
// fstab again, and they are not looked at.
func remount(target string, options []string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(target, &st); err != nil {
		return fmt.Errorf("remount %s: %w", target, err)
	}
	if st.Type != fuseMagic {
		return fmt.Errorf("remount %s: no union is mounted there", target)
	}
	flags := mountFlagsOf(uintptr(st.Flags))
	for _, word := range options {
		c := remountChanges[word]
		flags = flags&^c.clear | c.set
	}
	err := unix.Mount("none", target, "", flags|unix.MS_REMOUNT, "")
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("remount %s: no union is mounted there", target)
	}
	if err != nil {
		return fmt.Errorf("remount %s with %s: %w", target, strings.Join(options, ","), err)
	}
	return nil
}

// mountFlagsOf turns the flags of statfs(2) into those of mount(2). They have
// the same bits but for relatime (ST_RELATIME in statvfs(3)).
func mountFlagsOf(st uintptr) uintptr {
	const statRelatime = 0x1000
	same := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC |
		unix.MS_SYNCHRONOUS | unix.MS_NOATIME | unix.MS_NODIRATIME)
	flags := st & same
	if st&statRelatime != 0 {
		flags |= unix.MS_RELATIME
	}
	return flags
}
