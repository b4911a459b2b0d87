package union

import (
	"slices"
	"sort"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

const testUmask = 0o022

// driver executes operations on a union as the kernel would: it walks paths,
// keeps open files, checks what the VFS checks.
type driver struct {
	u      *Union
	reopen func() *Union // nil: Remount only closes the slots
	slots  map[int]held
}

type held struct {
	n     *Inode
	flags int
}

func (h held) writable() bool { return h.flags&unix.O_ACCMODE != unix.O_RDONLY }
func (h held) readable() bool { return h.flags&unix.O_ACCMODE != unix.O_WRONLY }

func (d *driver) release() {
	for slot, h := range d.slots {
		d.u.Forget(h.n, 1)
		delete(d.slots, slot)
	}
}

func (d *driver) apply(o fstest.Op) (r fstest.Result) {
	if d.slots == nil {
		d.slots = map[int]held{}
	}
	err := d.run(o, &r)
	if err == nil {
		return r
	}
	r = fstest.Result{Errno: unix.EIO, Out: err.Error()}
	if errno, ok := err.(unix.Errno); ok {
		r = fstest.Result{Errno: errno}
	}
	return r
}

// spot is where a path leads, with references.
type spot struct {
	dir, node *Inode // dir is nil for the root
	name      string
}

func (d *driver) drop(s *spot) {
	for _, n := range []*Inode{s.dir, s.node} {
		if n != nil {
			d.u.Forget(n, 1)
		}
	}
	s.dir, s.node = nil, nil
}

// resolve is path_resolution(7), as fstest's model does it.
func (d *driver) resolve(p string, follow bool) (at spot, err error) {
	var attr Attr
	at.node = d.u.Root()
	at.node.Ref()
	defer func() {
		if err != nil {
			d.drop(&at)
		}
	}()
	rest := split(p)
	for links := 0; len(rest) > 0; {
		if at.node == nil {
			return at, unix.ENOENT
		}
		if at.node.dir == nil {
			return at, unix.ENOTDIR
		}
		name := rest[0]
		rest = rest[1:]
		if name == "." {
			continue
		}
		if at.dir != nil {
			d.u.Forget(at.dir, 1)
		}
		at = spot{dir: at.node, name: name}
		at.node, err = d.u.Lookup(at.dir, name, &attr)
		if err != nil && err != unix.ENOENT {
			return at, err
		}
		err = nil
		if at.node == nil || at.node.typ != unix.S_IFLNK || len(rest) == 0 && !follow {
			continue
		}
		if links++; links > 40 {
			return at, unix.ELOOP
		}
		target, err := d.u.Readlink(at.node)
		if err != nil {
			return at, err
		}
		rest = slices.Concat(split(target), rest)
		d.u.Forget(at.node, 1)
		at.node, at.dir = at.dir, nil
	}
	return at, nil
}

func split(p string) []string {
	return strings.FieldsFunc(p, func(c rune) bool { return c == '/' })
}

// on calls do with what the path leads to.
func (d *driver) on(p string, follow bool, do func(n *Inode) error) error {
	at, err := d.resolve(p, follow)
	if err != nil {
		return err
	}
	defer d.drop(&at)
	if at.node == nil {
		return unix.ENOENT
	}
	return do(at.node)
}

// at calls do with the path's directory and last name.
func (d *driver) at(p string, do func(at spot) error) error {
	at, err := d.resolve(p, false)
	if err != nil {
		return err
	}
	defer d.drop(&at)
	return do(at)
}

// open is the test directories' open: no symlinks, no special files.
func (d *driver) open(p string, flags int, mode uint32, do func(n *Inode) error) error {
	return d.at(p, func(at spot) error {
		n := at.node
		if n == nil {
			if flags&unix.O_CREAT == 0 {
				return unix.ENOENT
			}
			return d.make(at, &New{Mode: unix.S_IFREG | mode}, do)
		}
		switch {
		case n.typ == unix.S_IFLNK:
			return unix.ELOOP
		case n.dir == nil && !n.isRegular():
			return unix.ENXIO
		case n.dir != nil && flags&(unix.O_CREAT|unix.O_ACCMODE) != 0:
			return unix.EISDIR
		}
		if flags&unix.O_TRUNC != 0 {
			if err := d.set(n, Change{Valid: SetSize}); err != nil {
				return err
			}
		}
		return do(n)
	})
}

func (d *driver) make(at spot, s *New, do func(n *Inode) error) error {
	var attr Attr
	s.Umask = testUmask
	n, err := d.u.Create(at.dir, at.name, s, &attr)
	if err != nil {
		return err
	}
	defer d.u.Forget(n, 1)
	if do == nil {
		return nil
	}
	return do(n)
}

func (d *driver) create(p string, s *New, do func(n *Inode) error) error {
	return d.at(p, func(at spot) error {
		if at.dir == nil {
			return unix.EEXIST
		}
		return d.make(at, s, do)
	})
}

func (d *driver) set(n *Inode, c Change) error {
	var attr Attr
	return d.u.SetAttr(n, &c, &attr)
}

func (d *driver) write(n *Inode, data string, off int64, flags int) error {
	if data == "" {
		return nil
	}
	if flags&unix.O_APPEND != 0 {
		var attr Attr
		if err := d.u.GetAttr(n, &attr); err != nil {
			return err
		}
		off = int64(attr.Size)
	}
	k, err := d.u.Write(n, []byte(data), off, WriteMode{})
	if err == nil && k != len(data) {
		return unix.EIO
	}
	return err
}

func (d *driver) run(o fstest.Op, r *fstest.Result) error {
	if o.Kind >= fstest.Hold && o.Kind <= fstest.Remount {
		return d.runHeld(o, r)
	}
	switch o.Kind {
	case fstest.Create:
		return d.create(o.Path, &New{Mode: unix.S_IFREG | o.Mode}, func(n *Inode) error { return d.write(n, o.Data, 0, 0) })
	case fstest.Mkdir:
		return d.create(o.Path, &New{Mode: unix.S_IFDIR | o.Mode&0o1777}, nil)
	case fstest.Mknod:
		return d.create(o.Path, &New{Mode: o.Mode, Rdev: uint64(o.Len)}, nil)
	case fstest.Symlink:
		return d.create(o.Path, &New{Mode: unix.S_IFLNK | 0o777, Target: o.To}, nil)
	case fstest.Link:
		return d.on(o.Path, false, func(n *Inode) error { return d.link(n, o.To) })
	case fstest.Unlink:
		return d.at(o.Path, func(at spot) error { return d.u.Unlink(at.dir, at.name) })
	case fstest.Rmdir:
		return d.at(o.Path, func(at spot) error { return d.u.Rmdir(at.dir, at.name) })
	case fstest.Rename:
		return d.at(o.Path, func(old spot) error {
			return d.at(o.To, func(to spot) error {
				return d.u.Rename(old.dir, old.name, to.dir, to.name, uint(o.Flags))
			})
		})
	case fstest.Write:
		return d.put(o, unix.O_WRONLY)
	case fstest.Append:
		return d.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND)
	case fstest.OpenTrunc:
		return d.put(o, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC)
	case fstest.Truncate:
		return d.on(o.Path, true, func(n *Inode) error { return d.set(n, Change{Valid: SetSize, Size: o.Len}) })
	case fstest.Fallocate:
		return d.open(o.Path, unix.O_RDWR, 0, func(n *Inode) error {
			_, err := d.u.Fallocate(n, uint32(o.Flags), o.Off, o.Len, WriteMode{})
			return err
		})
	case fstest.Tmpfile:
		return d.on(o.Path, true, func(n *Inode) error { return d.tmpfile(n, o) })
	case fstest.Read:
		return d.open(o.Path, unix.O_RDONLY, 0, func(n *Inode) error { return d.read(n, r) })
	}
	return d.runAttr(o, r)
}

// runAttr does what works on attributes and listings.
func (d *driver) runAttr(o fstest.Op, r *fstest.Result) error {
	switch o.Kind {
	case fstest.Chmod:
		return d.on(o.Path, true, func(n *Inode) error { return d.set(n, Change{Valid: SetMode, Mode: o.Mode}) })
	case fstest.Chown:
		return d.on(o.Path, false, func(n *Inode) error { return d.set(n, chownChange(n, o)) })
	case fstest.Utimes:
		return d.on(o.Path, false, func(n *Inode) error {
			ts := unix.Timespec{Sec: o.Off, Nsec: o.Len}
			return d.set(n, Change{Valid: SetAtime | SetMtime, Atime: ts, Mtime: ts})
		})
	case fstest.Setxattr:
		return d.xattr(o, unix.EPERM, func(n *Inode) error { return d.u.SetXattr(n, o.Name, []byte(o.Data), o.Flags, false) })
	case fstest.Removexattr:
		return d.xattr(o, unix.EPERM, func(n *Inode) error { return d.u.RemoveXattr(n, o.Name) })
	case fstest.Getxattr:
		return d.xattr(o, unix.ENODATA, func(n *Inode) error {
			buf := make([]byte, 65536)
			k, err := d.u.GetXattr(n, o.Name, buf)
			if err == nil {
				r.Out = string(buf[:k])
			}
			return err
		})
	case fstest.Listxattr:
		return d.on(o.Path, false, func(n *Inode) (err error) {
			names, err := xattrNames(d.u, n)
			r.Out = sorted(names)
			return err
		})
	case fstest.Readdir:
		return d.on(o.Path, false, func(n *Inode) (err error) {
			r.Out, err = listNames(d.u, n)
			return err
		})
	case fstest.Readlink:
		return d.on(o.Path, false, func(n *Inode) (err error) {
			r.Out, err = d.u.Readlink(n)
			return err
		})
	case fstest.Stat:
		return d.on(o.Path, false, func(n *Inode) error { return d.stat(n, r) })
	}
	return unix.ENOSYS
}

// chownChange is chown_common(): also chown(-1, -1) takes suid and sgid away.
func chownChange(n *Inode, o fstest.Op) Change {
	c := Change{UID: uint32(o.UID), GID: uint32(o.GID)}
	if o.UID >= 0 {
		c.Valid |= SetUID
	}
	if o.GID >= 0 {
		c.Valid |= SetGID
	}
	if n.dir == nil && c.Valid == 0 {
		c.Valid |= KillSuid // else the change of owner does it
	}
	return c
}

func (d *driver) put(o fstest.Op, flags int) error {
	return d.open(o.Path, flags, 0o644, func(n *Inode) error { return d.write(n, o.Data, o.Off, flags) })
}

func (d *driver) link(n *Inode, to string) error {
	return d.at(to, func(at spot) error {
		if at.node != nil {
			return unix.EEXIST
		}
		var attr Attr
		err := d.u.Link(n, at.dir, at.name, &attr)
		if err == nil {
			d.u.Forget(n, 1)
		}
		return err
	})
}

func (d *driver) tmpfile(dir *Inode, o fstest.Op) error {
	if dir.dir == nil {
		return unix.ENOTDIR
	}
	var attr Attr
	n, err := d.u.Tmpfile(dir, &New{Mode: unix.S_IFREG | o.Mode, Umask: testUmask}, &attr)
	if err != nil {
		return err
	}
	defer d.u.Forget(n, 1)
	if attr.Nlink != 0 {
		return unix.EUCLEAN // no errno of a file system
	}
	if err := d.write(n, o.Data, 0, 0); err != nil {
		return err
	}
	return d.link(n, o.To)
}

// xattr is xattr_permission(): user.* is for files and directories.
func (d *driver) xattr(o fstest.Op, refused unix.Errno, do func(n *Inode) error) error {
	return d.on(o.Path, false, func(n *Inode) error {
		if strings.HasPrefix(o.Name, "user.") && n.dir == nil && !n.isRegular() {
			return refused
		}
		return do(n)
	})
}

func xattrNames(u *Union, n *Inode) ([]string, error) {
	buf := make([]byte, 65536)
	k, err := u.ListXattr(n, buf, true)
	if err != nil {
		return nil, err
	}
	names := strings.FieldsFunc(string(buf[:k]), func(c rune) bool { return c == 0 })
	return slices.DeleteFunc(names, func(s string) bool { return s == "security.selinux" }), nil
}

func sorted(names []string) string {
	sort.Strings(names)
	return strings.Join(names, "\n")
}

func letterOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "d"
	case unix.S_IFREG:
		return "f"
	case unix.S_IFLNK:
		return "l"
	case unix.S_IFIFO:
		return "p"
	case unix.S_IFSOCK:
		return "s"
	case unix.S_IFCHR:
		return "c"
	case unix.S_IFBLK:
		return "b"
	}
	return "?"
}

// listNames is a listing as fstest's operations show it.
func listNames(u *Union, n *Inode) (string, error) {
	var names []string
	err := u.ReadDir(n, 0, false, func(e *DirEntry) bool {
		if e.Name != "." && e.Name != ".." {
			letter := letterOf(uint32(e.Type) << 12)
			if letter == "f" {
				letter = "-" // as ls prints it
			}
			names = append(names, letter+" "+e.Name)
		}
		return true
	})
	return sorted(names), err
}

func (d *driver) read(n *Inode, r *fstest.Result) (err error) {
	if n.dir != nil {
		return unix.EISDIR
	}
	r.Out, err = readWhole(d.u, n)
	return err
}

func (d *driver) stat(n *Inode, r *fstest.Result) error {
	var st Attr
	if err := d.u.GetAttr(n, &st); err != nil {
		return err
	}
	r.Stat = &fstest.StatFields{
		Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid, Nlink: st.Nlink,
		Rdev: unix.Mkdev(st.Rdev_major, st.Rdev_minor),
	}
	if n.dir == nil {
		r.Stat.Size = int64(st.Size)
	}
	return nil
}

func (d *driver) runHeld(o fstest.Op, r *fstest.Result) error {
	h, ok := d.slots[o.Slot]
	switch o.Kind {
	case fstest.Hold:
		if ok {
			delete(d.slots, o.Slot)
			d.u.Forget(h.n, 1)
		}
		return d.open(o.Path, o.Flags, 0, func(n *Inode) error {
			n.Ref()
			d.slots[o.Slot] = held{n, o.Flags}
			return nil
		})
	case fstest.Remount:
		d.release()
		if d.reopen != nil {
			d.u = d.reopen()
		}
		return nil
	}
	if !ok {
		return unix.EBADF
	}
	switch o.Kind {
	case fstest.HeldWrite:
		if !h.writable() {
			return unix.EBADF
		}
		return d.write(h.n, o.Data, o.Off, h.flags)
	case fstest.HeldRead:
		if !h.readable() {
			return unix.EBADF
		}
		return d.read(h.n, r)
	case fstest.HeldStat:
		return d.stat(h.n, r)
	case fstest.HeldTruncate:
		if !h.n.isRegular() || !h.writable() {
			return unix.EINVAL
		}
		return d.set(h.n, Change{Valid: SetSize, Size: o.Len})
	case fstest.HeldReaddir:
		return d.heldReaddir(h, r)
	case fstest.HeldSync:
		return d.u.Fsync(h.n, false)
	case fstest.Release:
		delete(d.slots, o.Slot)
		d.u.Forget(h.n, 1)
		return nil
	}
	return unix.ENOSYS
}

// heldReaddir of a removed directory is ENOENT: IS_DEADDIR in iterate_dir().
func (d *driver) heldReaddir(h held, r *fstest.Result) (err error) {
	if h.n.dir == nil {
		return unix.ENOTDIR
	}
	var st Attr
	if err := d.u.GetAttr(h.n, &st); err != nil {
		return err
	}
	if st.Nlink == 0 {
		return unix.ENOENT
	}
	r.Out, err = listNames(d.u, h.n)
	return err
}
