package transport

import (
	"strings"

	"golang.org/x/sys/unix"
)

// MountOptions says how a mount shows and behaves.
type MountOptions struct {
	// Source and Subtype show in /proc/self/mountinfo; empty is "unionfs".
	Source, Subtype string
	// Options are general mount options as typed. Those that neither
	// mount(2) nor FUSE knows are left out; so is blksize, which is for
	// block devices. default_permissions is always on, and so is allow_other
	// where mount(2) is ours to call. allow_root, which only libfuse knows,
	// counts as allow_other: permissions are checked all the same.
	Options []string
}

// flagOptions are the options that are flags of mount(2): what they set and
// what they clear.
var flagOptions = map[string]struct{ set, clear uintptr }{
	"ro": {set: unix.MS_RDONLY}, "rw": {clear: unix.MS_RDONLY},
	"nosuid": {set: unix.MS_NOSUID}, "suid": {clear: unix.MS_NOSUID},
	"nodev": {set: unix.MS_NODEV}, "dev": {clear: unix.MS_NODEV},
	"noexec": {set: unix.MS_NOEXEC}, "exec": {clear: unix.MS_NOEXEC},
	"noatime": {set: unix.MS_NOATIME}, "atime": {clear: unix.MS_NOATIME},
	"nodiratime": {set: unix.MS_NODIRATIME}, "diratime": {clear: unix.MS_NODIRATIME},
	"relatime": {set: unix.MS_RELATIME}, "norelatime": {clear: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME}, "nostrictatime": {clear: unix.MS_STRICTATIME},
	"lazytime": {set: unix.MS_LAZYTIME}, "nolazytime": {clear: unix.MS_LAZYTIME},
	"sync": {set: unix.MS_SYNCHRONOUS}, "async": {clear: unix.MS_SYNCHRONOUS},
	"dirsync": {set: unix.MS_DIRSYNC}, "silent": {set: unix.MS_SILENT},
}

// parsed are the options sorted by who takes them.
type parsed struct {
	flags      uintptr
	names      []string // the flags as typed, for fusermount3
	data       []string // FUSE's own and the security modules'
	allowOther bool
	private    bool
}

func (o MountOptions) parse() parsed {
	var p parsed
	for _, option := range o.Options {
		if f, ok := flagOptions[option]; ok {
			p.flags = p.flags&^f.clear | f.set
			p.names = append(p.names, option)
			continue
		}
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "allow_other", "allow_root":
			p.allowOther = true
		case "private":
			p.private = true
		case "max_read":
			p.data = append(p.data, option)
		case "context", "fscontext", "defcontext", "rootcontext":
			if labelled() {
				p.data = append(p.data, key+"="+quoteLabel(value))
			}
		}
	}
	return p
}

// labelled tells whether SELinux is there: without it the kernel takes labels
// for unknown parameters and refuses the mount.
func labelled() bool {
	return unix.Access("/sys/fs/selinux/enforce", unix.F_OK) == nil
}

// quoteLabel keeps the commas of a label together
// (selinux_sb_eat_lsm_opts).
func quoteLabel(label string) string {
	return `"` + strings.Trim(label, `"`) + `"`
}

func (o MountOptions) source() string { return orDefault(o.Source) }

func (o MountOptions) subtype() string { return orDefault(o.Subtype) }

func orDefault(s string) string {
	if s == "" {
		return "unionfs"
	}
	return s
}
