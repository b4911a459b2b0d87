package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Tmpfile makes a regular file without a name (O_TMPFILE); a later Link may
// give it one. It stands in work until then, or until it is forgotten.
func (u *Union) Tmpfile(parent *Inode, s *New, attr *Attr) (*Inode, error) {
	if err := u.checkNew(parent, "", s); err != nil {
		return nil, err
	}
	if err := u.copyUp(parent, inUpper, all); err != nil {
		return nil, err
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	own, err := u.ownerIn(parent, s)
	if err != nil {
		return nil, err
	}
	tmp := u.work.name()
	if err := u.makeAt(u.work.stage.fd, tmp, s, own.mode&0o777); err != nil {
		return nil, err
	}
	if err := u.dress(u.work.stage.fd, tmp, s, own); err != nil {
		u.removeStaged(tmp)
		return nil, err
	}
	var st unix.Statx_t
	if err := hostfs.Statx(u.work.stage.fd, tmp, &st); err != nil {
		return nil, err
	}
	n := &Inode{ino: u.inoOf(u.upper, &st), typ: unix.S_IFREG}
	u.orphan(n, tmp)
	n.state.Store(inUpper)
	n.refs.Store(1)
	u.linksMu.Lock()
	u.links[n.ino] = n
	u.linksMu.Unlock()
	return n, u.attrOf(n, attr)
}

func (u *Union) ownerIn(parent *Inode, s *New) (ownership, error) {
	d := parent.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.removed {
		return ownership{}, unix.ENOENT
	}
	h, err := u.openDir(d.upper)
	if err != nil {
		return ownership{}, err
	}
	defer h.release()
	return u.owner(parent, h.fd, s)
}
