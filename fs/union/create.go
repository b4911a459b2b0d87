package union

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// New describes an object to be made.
type New struct {
	Mode     uint32 // type and permission bits, before umask
	Umask    uint32
	UID, GID uint32 // the caller's, of the mount
	Rdev     uint64 // of devices, as unix.Mkdev makes it
	Target   string // of symlinks
}

func (s *New) typ() uint32 { return s.Mode & unix.S_IFMT }

// Create makes the object and answers its inode with a reference. All
// creations go through here.
func (u *Union) Create(parent *Inode, name string, s *New, attr *Attr) (*Inode, error) {
	if err := u.checkNew(parent, name, s); err != nil {
		return nil, err
	}
	if err := u.copyUp(parent, inUpper, all); err != nil {
		return nil, err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	n, err := u.create(parent, name, s, attr)
	if err != nil {
		return nil, err
	}
	return n, u.show(n, attr)
}

func (u *Union) checkNew(parent *Inode, name string, s *New) error {
	switch {
	case parent.dir == nil:
		return unix.ENOTDIR
	case u.upper == nil:
		return unix.EROFS
	case len(name) > NameMax:
		return unix.ENAMETOOLONG
	case s.typ() == unix.S_IFCHR && s.Rdev == 0:
		return unix.EPERM // a whiteout in upper; ovl_create_object refuses too
	case u.full():
		return unix.ENOSPC
	}
	return u.checkName(name)
}

// checkName refuses names that upper's own whiteouts would be mistaken for.
func (u *Union) checkName(name string) error {
	if strings.HasPrefix(name, whiteout.AufsPrefix) && (u.codec.Format() == whiteout.FormatAufs || !u.caps.Xattrs) {
		return unix.EINVAL
	}
	return nil
}

func (u *Union) create(parent *Inode, name string, s *New, attr *Attr) (*Inode, error) {
	d := parent.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := u.loaded(d)
	if err != nil {
		return nil, err
	}
	if d.removed {
		return nil, unix.ENOENT
	}
	e := t.names.get(name)
	if e != nil && e.visible() {
		return nil, unix.EEXIST
	}
	h, err := u.openDir(d.upper)
	if err != nil {
		return nil, err
	}
	defer h.release()
	if err := u.makeNative(h.fd, e); err != nil {
		return nil, err
	}
	own, err := u.owner(parent, h.fd, s)
	if err != nil {
		return nil, err
	}
	fd := -1
	if over := e != nil && e.whiteout; !u.direct(own, s, name, over) {
		err = u.makeStaged(d, h.fd, name, s, own, e)
	} else if s.typ() == unix.S_IFREG {
		fd, err = hostfs.Open(h.fd, name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, own.mode)
	} else {
		err = u.makeAt(h.fd, name, s, own.mode)
	}
	if err != nil {
		return nil, err
	}
	n, err := u.newborn(parent, u.enter(t, name, uint8(s.typ()>>12)), h, attr)
	if err == nil && own.access == nil && own.def == nil {
		n.lacks.note(noneOfThem)
	}
	if fd >= 0 && err == nil {
		u.files.put(&n.file, fd, true).release()
	} else if fd >= 0 {
		hostfs.Close(fd)
	}
	return n, err
}

// newborn makes the inode of an object just made: nothing on disk says more of
// it than stat.
func (u *Union) newborn(parent *Inode, e *entry, h *handle, attr *Attr) (*Inode, error) {
	if err := u.statPlace(place{h: h, name: e.name}, attr); err != nil {
		return nil, err
	}
	n := &Inode{ino: u.inoOf(u.upper, attr), typ: uint32(attr.Mode) & unix.S_IFMT}
	n.state.Store(inUpper)
	n.unsynced.Store(true)
	if n.isDir() {
		n.dir = u.newDirOf(parent.dir.lpath.child(e.name))
		n.dir.upper = &dirRef{layer: u.upper, parent: parent.dir.upper, name: e.name}
		n.dir.table = newTable()
	}
	n.addLink(parent, e.name)
	n.refs.Store(1)
	e.inode, e.ino = n, n.ino
	return n, nil
}

// enter puts a name that upper now has into the table.
func (u *Union) enter(t *table, name string, dtype uint8) *entry {
	fresh := &entry{name: name, top: topUpper, dtype: dtype}
	if old := t.names.get(name); old != nil {
		fresh.hasLower = old.hasLower
		if more := old.more(); more != nil {
			fresh.own().more = more
		}
		fresh.whiteout = old.whiteout && u.codec.MarkName(name) != name
	}
	t.names.put(fresh)
	t.show(fresh)
	return fresh
}

// ownership is what a new object gets from its maker and its directory.
type ownership struct {
	uid, gid uint32 // of the mount
	hu, hg   uint32 // of the host
	mode     uint32
	access   []byte // ACLs, as on disk
	def      []byte
	inherits bool // the directory hands down a group or an ACL
}

// owner works out owner, group, mode and ACLs (inode_init_owner and
// posix_acl_create in the kernel). The caller holds the directory's lock.
func (u *Union) owner(parent *Inode, dirfd int, s *New) (own ownership, err error) {
	from, err := u.inheritanceOf(parent, dirfd)
	if err != nil {
		return own, err
	}
	own = ownership{uid: s.UID, gid: s.GID, mode: s.Mode & 0o7777, inherits: from.setgid || from.def != nil}
	if from.setgid {
		own.gid = from.gid
		if s.typ() == unix.S_IFDIR {
			own.mode |= unix.S_ISGID
		}
	}
	switch {
	case s.typ() == unix.S_IFLNK:
		own.mode = 0o777
	case from.def == nil:
		own.mode &^= s.Umask & 0o777
	default:
		access, perm, ok := inheritACL(from.def, own.mode)
		if !ok {
			return own, unix.EIO
		}
		own.access, own.mode = access, perm
		if s.typ() == unix.S_IFDIR {
			own.def = from.def
		}
	}
	own.hu, own.hg = u.ids.creator(own.uid, own.gid)
	return own, nil
}

// direct tells whether one system call makes the object complete in its
// place: the host gives it the right owner and mode, and no whiteout is in
// the way. A file with ACLs or another owner is made in work first.
func (u *Union) direct(own ownership, s *New, name string, over bool) bool {
	return !over && !u.ids.overrides && !own.inherits &&
		own.hu == u.ids.euid && own.hg == u.ids.egid &&
		own.mode&0o7000 == 0 && !strings.HasPrefix(name, whiteout.AufsPrefix)
}

// makeAt makes the bare object; this process has no umask.
func (u *Union) makeAt(dirfd int, name string, s *New, mode uint32) error {
	switch s.typ() {
	case unix.S_IFDIR:
		return u.mkdir(dirfd, name, mode)
	case unix.S_IFLNK:
		return u.makeSymlink(dirfd, name, s.Target)
	case unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR, unix.S_IFBLK:
		return u.ids.mknod(dirfd, name, s.typ()|mode, s.Rdev)
	}
	return unix.EINVAL
}

// makeStaged makes the object in work, complete, and publishes it.
func (u *Union) makeStaged(d *dir, dirfd int, name string, s *New, own ownership, e *entry) error {
	tmp := u.work.name()
	stage := u.work.stage.fd
	mode := own.mode&0o777 | 0o600 // marks may have to be written
	if s.typ() == unix.S_IFDIR {
		mode |= 0o700
	}
	if err := u.makeAt(stage, tmp, s, mode); err != nil {
		return err
	}
	var err error
	if strings.HasPrefix(name, whiteout.AufsPrefix) && s.typ() == unix.S_IFREG {
		err = u.mark(stage, tmp, whiteout.PlainName, "y")
	}
	if err == nil {
		err = u.dress(stage, tmp, s, own)
	}
	if err == nil && s.typ() == unix.S_IFDIR && e != nil && (e.hasLower || e.whiteout) {
		err = u.makeOpaque(stage, tmp)
	}
	if err == nil {
		err = u.publishNew(dirfd, tmp, name, s.typ() == unix.S_IFDIR, e)
	}
	if err != nil {
		u.removeStaged(tmp)
	}
	return err
}

// dress gives a staged object its owner, ACLs and mode.
func (u *Union) dress(stage int, tmp string, s *New, own ownership) error {
	if !u.ids.overrides && (own.hu != u.ids.euid || own.hg != u.ids.egid) {
		if err := u.ids.chown(stage, tmp, own.hu, own.hg); err != nil {
			return err
		}
	}
	if err := u.dressACL(stage, tmp, own); err != nil {
		return err
	}
	if u.ids.overrides {
		shown := Attr{Uid: own.uid, Gid: own.gid, Mode: uint16(s.typ() | own.mode)}
		shown.Rdev_major, shown.Rdev_minor = unix.Major(s.Rdev), unix.Minor(s.Rdev)
		return u.ids.setOverride(stage, tmp, &shown)
	}
	if s.typ() == unix.S_IFLNK || own.access != nil && own.mode&0o7000 == 0 {
		return nil
	}
	return hostfs.Chmod(stage, tmp, own.mode)
}

func (u *Union) dressACL(stage int, tmp string, own ownership) error {
	for _, acl := range [...]struct {
		name  string
		value []byte
	}{{xattrACLAccess, own.access}, {xattrACLDefault, own.def}} {
		if acl.value == nil {
			continue
		}
		if u.ids.isolates(acl.name) {
			acl.name = isolated(acl.name)
		}
		if err := hostfs.Setxattr(stage, tmp, acl.name, acl.value, 0); err != nil {
			return err
		}
	}
	return nil
}

func (u *Union) makeOpaque(dirfd int, name string) error {
	fd, err := hostfs.OpenDir(dirfd, name)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	return u.codec.MakeOpaque(fd)
}
