package union

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// Link gives n one more name and fills attr. The caller's reference of n
// counts for the answer; one more is taken.
func (u *Union) Link(n *Inode, parent *Inode, name string, attr *Attr) error {
	switch {
	case n.dir != nil:
		return unix.EPERM
	case parent.dir == nil:
		return unix.ENOTDIR
	case u.upper == nil:
		return unix.EROFS
	case len(name) > NameMax:
		return unix.ENAMETOOLONG
	}
	if err := u.checkName(name); err != nil {
		return err
	}
	if err := u.copyUp(n, inMeta, all); err != nil {
		return err
	}
	if err := u.copyUp(parent, inUpper, all); err != nil {
		return err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	if err := u.link(n, parent, name); err != nil {
		return err
	}
	n.refs.Add(1)
	if err := u.attrOf(n, attr); err != nil {
		u.forgetLocked(n, 1)
		return err
	}
	return nil
}

func (u *Union) link(n *Inode, parent *Inode, name string) error {
	d := parent.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	t, err := u.loaded(d)
	if err != nil {
		return err
	}
	if d.removed {
		return unix.ENOENT
	}
	e := t.names.get(name)
	if e != nil && e.visible() {
		return unix.EEXIST
	}
	h, err := u.openDir(d.upper)
	if err != nil {
		return err
	}
	defer h.release()
	if err := u.makeNative(h.fd, e); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := u.linkHost(n, h.fd, name, e); err != nil {
		return err
	}
	fresh := u.enter(t, name, uint8(n.typ>>12))
	fresh.inode, fresh.ino = n, n.ino
	u.linked(n, parent, name)
	return nil
}

// linked records a new name in upper. A file made without a name gets its
// first: it needs none in work any more.
func (u *Union) linked(n *Inode, parent *Inode, name string) {
	if n.parent == nil && n.seldom().orphan != "" {
		u.removeOrphan(n)
		n.own().orphan = ""
	}
	n.addLink(parent, name)
	n.unsynced.Store(true)
	u.linksMu.Lock()
	u.links[n.ino] = n
	u.linksMu.Unlock()
}

// linkHost makes the link in upper, through work where a whiteout is in the way.
func (u *Union) linkHost(n *Inode, dirfd int, name string, e *entry) error {
	p, err := u.upperPlace(n)
	if err != nil {
		return err
	}
	defer p.release()
	if n.isRegular() && strings.HasPrefix(name, whiteout.AufsPrefix) {
		if err := u.mark(p.h.fd, p.name, whiteout.PlainName, "y"); err != nil {
			return err
		}
	}
	if e == nil || !e.whiteout || u.sidecar(name) {
		return hostfs.Link(p.h.fd, p.name, dirfd, name)
	}
	tmp := u.work.name()
	if err := hostfs.Link(p.h.fd, p.name, u.work.stage.fd, tmp); err != nil {
		return err
	}
	if err := hostfs.Rename(u.work.stage.fd, tmp, dirfd, name, 0); err != nil {
		u.removeStaged(tmp)
		return err
	}
	return nil
}
