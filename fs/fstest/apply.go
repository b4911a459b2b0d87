package fstest

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// State is what a sequence carries from one operation to the next on a real
// directory: its open descriptors, and how to remount.
type State struct {
	// Remounted takes the mount down and up again; nil means there is
	// nothing to remount, and descriptors are merely closed.
	Remounted func()

	slots map[int]int
}

// Close closes all slots.
func (s *State) Close() {
	for slot, fd := range s.slots {
		_ = unix.Close(fd) // an error of writeback shows in the tree that is compared
		delete(s.slots, slot)
	}
}

func (s *State) fd(slot int) int {
	if fd, ok := s.slots[slot]; ok {
		return fd
	}
	return -1 // EBADF, as the model says
}

// Apply does the operation on the directory root.
func (o Op) Apply(root string, s *State) Result {
	h := host{root: root, State: s}
	if s.slots == nil {
		s.slots = map[int]int{}
	}
	run := hostKinds[o.Kind]
	out, err := run(h, o)
	out.Errno = errnoOf(err)
	return out
}

type host struct {
	root string
	*State
}

func (h host) path(p string) string { return filepath.Join(h.root, p) }

func errnoOf(err error) unix.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(unix.Errno); ok {
		return errno
	}
	return unix.EIO // not from a system call: a short write or read
}

// plain lifts calls that show nothing but their errno.
func plain(f func(h host, o Op) error) func(host, Op) (Result, error) {
	return func(h host, o Op) (Result, error) { return Result{}, f(h, o) }
}

var hostKinds = [numKinds]func(host, Op) (Result, error){
	Create:   plain(host.create),
	Mkdir:    plain(func(h host, o Op) error { return unix.Mkdir(h.path(o.Path), o.Mode) }),
	Mknod:    plain(func(h host, o Op) error { return unix.Mknod(h.path(o.Path), o.Mode, int(o.Len)) }),
	Symlink:  plain(func(h host, o Op) error { return unix.Symlink(o.To, h.path(o.Path)) }),
	Link:     plain(func(h host, o Op) error { return unix.Link(h.path(o.Path), h.path(o.To)) }),
	Unlink:   plain(func(h host, o Op) error { return unix.Unlink(h.path(o.Path)) }),
	Rmdir:    plain(func(h host, o Op) error { return unix.Rmdir(h.path(o.Path)) }),
	Rename:   plain(host.rename),
	Write:    plain(func(h host, o Op) error { return h.put(o, unix.O_WRONLY) }),
	Append:   plain(func(h host, o Op) error { return h.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND) }),
	Truncate: plain(host.truncate),
	OpenTrunc: plain(func(h host, o Op) error {
		return h.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	}),
	Chmod:        plain(func(h host, o Op) error { return unix.Chmod(h.path(o.Path), o.Mode) }),
	Chown:        plain(func(h host, o Op) error { return unix.Lchown(h.path(o.Path), o.UID, o.GID) }),
	Utimes:       plain(func(h host, o Op) error { return setMtime(h.path(o.Path), Stamp{Sec: o.Off, Nsec: o.Len}) }),
	Setxattr:     plain(func(h host, o Op) error { return unix.Lsetxattr(h.path(o.Path), o.Name, []byte(o.Data), o.Flags) }),
	Removexattr:  plain(func(h host, o Op) error { return unix.Lremovexattr(h.path(o.Path), o.Name) }),
	Getxattr:     host.getxattr,
	Listxattr:    host.listxattr,
	Readdir:      host.readdir,
	Read:         host.read,
	Readlink:     host.readlink,
	Stat:         host.stat,
	Fallocate:    plain(host.fallocate),
	Tmpfile:      plain(host.tmpfile),
	Hold:         plain(host.hold),
	HeldWrite:    plain(func(h host, o Op) error { return pwriteAll(h.fd(o.Slot), o.Data, o.Off) }),
	HeldRead:     func(h host, o Op) (Result, error) { return readAll(h.fd(o.Slot)) },
	HeldStat:     host.heldStat,
	HeldTruncate: plain(func(h host, o Op) error { return unix.Ftruncate(h.fd(o.Slot), o.Len) }),
	HeldReaddir:  func(h host, o Op) (Result, error) { return listFD(h.fd(o.Slot)) },
	HeldSync:     plain(func(h host, o Op) error { return unix.Fsync(h.fd(o.Slot)) }),
	Release:      plain(host.release),
	Remount:      plain(host.remount),
}
