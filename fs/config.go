package fs

import (
	"time"

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
	// NoWriteback turns the kernel's write-back cache off.
	NoWriteback bool
	// MaxWrite is the largest write request in bytes; 0 is the default.
	MaxWrite int
	// MayHalt lets processors of small virtual machines halt between requests
	// that come fast, which is slower and takes less power.
	MayHalt bool
	// Debug prints every request to standard error.
	Debug bool
	// Log gets one line for each incident; nil drops them.
	Log func(line string) `json:"-"`
}
