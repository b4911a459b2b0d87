package fstest

import (
	"path"

	"golang.org/x/sys/unix"
)

// weights say how often each kind comes. Those that make a union move things
// between layers (rename, unlink, first changes of a lower file) come most.
var weights = []struct {
	kind   Kind
	weight int
	make   func(g *generator, k Kind) Op
}{
	{Create, 8, func(g *generator, k Kind) Op {
		return Op{Kind: k, Path: g.fresh(), Mode: g.mode(false), Data: g.data()}
	}},
	{Mkdir, 9, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.fresh(), Mode: g.mode(true)} }},
	{Mknod, 2, (*generator).mknod},
	{Symlink, 3, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.fresh(), To: g.anyPath()} }},
	{Link, 7, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), To: g.fresh()} }},
	{Unlink, 10, onPath},
	{Rmdir, 8, onPath},
	{Rename, 24, (*generator).rename},
	{Write, 6, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Off: g.offset(), Data: g.data()} }},
	{Append, 4, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Data: g.data()} }},
	{Truncate, 4, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Len: g.offset()} }},
	{OpenTrunc, 3, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Data: g.data()} }},
	{Chmod, 5, (*generator).chmod},
	{Chown, 4, (*generator).chown},
	{Utimes, 4, func(g *generator, k Kind) Op {
		return Op{Kind: k, Path: g.path(), Off: int64(g.Intn(1_000_000_000)), Len: int64(g.Intn(1_000_000_000))}
	}},
	{Setxattr, 5, func(g *generator, k Kind) Op {
		return Op{Kind: k, Path: g.path(), Name: g.xattr(), Data: g.data()[:1], Flags: g.Intn(3)}
	}},
	{Removexattr, 3, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Name: g.xattr()} }},
	{Getxattr, 2, func(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path(), Name: g.xattr()} }},
	{Listxattr, 2, onPath},
	{Readdir, 8, (*generator).readdir},
	{Read, 6, onPath},
	{Readlink, 2, onPath},
	{Stat, 7, onPath},
	{Fallocate, 3, (*generator).fallocate},
	{Tmpfile, 2, func(g *generator, k Kind) Op {
		to := g.fresh()
		return Op{Kind: k, Path: path.Dir(to), To: to, Mode: g.mode(false), Data: g.data()}
	}},
	{Hold, 9, func(g *generator, k Kind) Op {
		flags := []int{unix.O_RDONLY, unix.O_RDONLY, unix.O_RDWR, unix.O_WRONLY, unix.O_RDWR | unix.O_APPEND}
		return Op{Kind: k, Slot: g.slot(), Path: g.path(), Flags: flags[g.Intn(len(flags))]}
	}},
	{HeldWrite, 6, func(g *generator, k Kind) Op {
		return Op{Kind: k, Slot: g.slot(), Off: g.offset(), Data: g.data()}
	}},
	{HeldRead, 6, onSlot},
	{HeldStat, 5, onSlot},
	{HeldTruncate, 2, func(g *generator, k Kind) Op { return Op{Kind: k, Slot: g.slot(), Len: g.offset()} }},
	{HeldReaddir, 3, onSlot},
	{HeldSync, 1, onSlot},
	{Release, 3, onSlot},
	{Remount, 1, (*generator).remount},
}

func onPath(g *generator, k Kind) Op { return Op{Kind: k, Path: g.path()} }
func onSlot(g *generator, k Kind) Op { return Op{Kind: k, Slot: g.slot()} }

func (g *generator) mknod(k Kind) Op {
	o := Op{Kind: k, Path: g.fresh(), Mode: unix.S_IFIFO | g.mode(false)}
	switch kind := g.Intn(4); {
	case kind == 0:
		o.Mode = o.Mode&^unix.S_IFMT | unix.S_IFSOCK
	case kind == 1 && !g.ns.User:
		o.Mode = o.Mode&^unix.S_IFMT | unix.S_IFCHR
		o.Len = int64(unix.Mkdev(1, 3))
	}
	return o
}

func (g *generator) rename(k Kind) Op {
	o := Op{Kind: k, Path: g.path(), Flags: g.renameFlags()}
	if g.Intn(3) == 0 {
		o.To = g.path() // onto something
	} else {
		o.To = g.fresh()
	}
	return o
}

// chmod of an ordinary user keeps what lets it enter directories.
func (g *generator) chmod(k Kind) Op {
	return Op{Kind: k, Path: g.path(), Mode: g.mode(false) | 0o700&g.userMask()}
}

func (g *generator) userMask() uint32 {
	if g.ns.User {
		return 0o777
	}
	return 0
}

func (g *generator) chown(k Kind) Op {
	if g.ns.User {
		return Op{Kind: k, Path: g.path(), UID: -1, GID: -1}
	}
	return Op{Kind: k, Path: g.path(), UID: g.Intn(3)*500 - 1, GID: g.Intn(3)*500 - 1}
}

func (g *generator) readdir(k Kind) Op {
	if g.Intn(4) == 0 {
		return Op{Kind: k, Path: "."}
	}
	return Op{Kind: k, Path: g.path()}
}

func (g *generator) fallocate(k Kind) Op {
	modes := []int{
		0, unix.FALLOC_FL_KEEP_SIZE,
		unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE,
		unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_ZERO_RANGE | unix.FALLOC_FL_KEEP_SIZE,
	}
	return Op{Kind: k, Path: g.path(), Flags: modes[g.Intn(len(modes))], Off: g.offset(), Len: 1 + g.offset()}
}

func (g *generator) remount(k Kind) Op {
	if g.ns.Mounts {
		return Op{Kind: k}
	}
	return Op{Kind: Readdir, Path: "."}
}
