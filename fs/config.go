package fs

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/union"
)

// Config is one mount: a union, where it appears and how the kernel caches it.
type Config struct {
	Union union.Config

	// Target is the directory to mount on. With FD >= 0 it is only a word
	// for messages.
	Target string
	// FD is an already mounted /dev/fuse descriptor, or -1.
	FD int

	// Source and Subtype show in /proc/self/mountinfo; empty means
	// "unionfs" for both (the type is then fuse.unionfs).
	Source, Subtype string
	// Options are general mount options as typed: ro, nosuid, nodev,
	// noexec, noatime, nodiratime, allow_other, allow_root, ... and their
	// opposites.
	Options []string

	// Timeout is how long the kernel may keep entries and attributes; nil
	// is for ever, zero is live mode, in which layers may change below.
	Timeout *time.Duration
	// Passthrough is whether files in upper pass through (mode P).
	Passthrough Passthrough
	// NoWriteback turns the kernel's write-back cache off.
	NoWriteback bool
	// MaxWrite is the largest write request in bytes; 0 is the default.
	MaxWrite int
	// MayHalt lets processors of small virtual machines halt between requests
	// that come fast, which is slower and takes less power.
	MayHalt bool
	// NoUring has requests come over /dev/fuse where the kernel would bring them
	// over io_uring.
	NoUring bool
	// Debug prints every request to standard error.
	Debug bool
	// Log gets one line for each incident; nil drops them.
	Log func(line string) `json:"-"`
}

// Passthrough is the meaning of the passthrough option.
type Passthrough int

const (
	// PassthroughAuto is on where it can be.
	PassthroughAuto Passthrough = iota
	PassthroughOn
	PassthroughOff
)

// passes tells whether mode P is wanted, and can be had as far as is known
// before the kernel says what it offers. Registering files takes CAP_SYS_ADMIN
// in the initial user namespace; what a quota counts, the owner that an override
// keeps and what changes below the mount must not pass by; and the kernel stacks
// file systems no deeper than this.
func (c *Config) passes() bool {
	u := &c.Union
	switch {
	case c.Passthrough == PassthroughOff, u.Upper == "", u.Live, u.Quota > 0, u.XattrPermissions != 0:
		return false
	case c.NoWriteback && c.Passthrough == PassthroughAuto:
		return false
	}
	return initialRoot() && !stacked(u.Upper)
}

// initialUserNS is the inode number of the initial user namespace
// (PROC_USER_INIT_INO of include/linux/proc_ns.h): others may map all ids too.
const initialUserNS = 0xEFFFFFFD

func initialRoot() bool {
	var st unix.Stat_t
	return os.Geteuid() == 0 && unix.Stat("/proc/self/ns/user", &st) == nil && st.Ino == initialUserNS
}

// stacked tells whether a directory is on a file system that stands on others.
func stacked(dir string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return true
	}
	switch st.Type {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.ECRYPTFS_SUPER_MAGIC:
		return true
	}
	return false
}
