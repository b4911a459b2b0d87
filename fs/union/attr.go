package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// GetAttr answers what stat shows of n.
func (u *Union) GetAttr(n *Inode, attr *Attr) error {
	u.tree.RLock()
	defer u.tree.RUnlock()
	return u.attrOf(n, attr)
}

// attrOf is GetAttr for a caller that holds Union.tree.
func (u *Union) attrOf(n *Inode, attr *Attr) error {
	n.mu.RLock()
	if n.seldom().ghost != nil {
		*attr = *n.seldom().ghost
		n.mu.RUnlock()
		return nil
	}
	p, err := u.lookPlace(n)
	if err == nil {
		err = u.statPlace(p, attr)
		p.release()
	}
	if err != nil {
		defer n.mu.RUnlock()
		if n.dir != nil && n.dir.removed {
			*attr = n.dir.last
			return nil
		}
		return err
	}
	nondirLinks(n, attr)
	n.mu.RUnlock()
	return u.show(n, attr)
}

// statPlace stats the object in the mount's ids.
func (u *Union) statPlace(p place, attr *Attr) error {
	if p.known {
		return u.statKnown(p.entry, attr)
	}
	if err := hostfs.Statx(p.h.fd, p.name, attr); err != nil {
		return err
	}
	return u.ids.show(p.h.fd, p.name, attr)
}

// ownStat is statPlace with the object's own owner where owners are squashed:
// for those who write it back.
func (u *Union) ownStat(p place, attr *Attr) error {
	if err := hostfs.Statx(p.h.fd, p.name, attr); err != nil {
		return err
	}
	return u.ids.own(p.h.fd, p.name, attr)
}

// nondirLinks counts the links the union knows of: the host's, less those
// work holds, more the lower names that still lead to the inode. The caller
// holds n.mu.
func nondirLinks(n *Inode, attr *Attr) {
	if n.dir != nil {
		return
	}
	if n.state.Load() == inLower {
		if n.parent == nil && attr.Nlink > 0 {
			attr.Nlink-- // its name is gone, which the layer doesn't know
		}
		return
	}
	if n.seldom().orphan != "" {
		attr.Nlink--
	}
	if n.indexed {
		attr.Nlink = attr.Nlink - 1 + uint32(n.seldom().lowerNames)
	}
}

// show turns what the host says into what the mount says. The caller holds
// Union.tree.
func (u *Union) show(n *Inode, attr *Attr) error {
	attr.Ino = n.ino
	if n.dir != nil {
		return u.dirLinks(n.dir, attr)
	}
	if n.isRegular() && n.state.Load() == inMeta {
		u.dataBlocks(n, attr)
	}
	return nil
}

// dirLinks gives a directory that merges several layers the count a plain
// one would have: two and one for each subdirectory.
func (u *Union) dirLinks(d *dir, attr *Attr) error {
	if u.cfg.StaticNlink {
		attr.Nlink = 1
		return nil
	}
	d.mu.RLock()
	merged := len(d.lowers) > 1 || d.upper != nil && len(d.lowers) > 0
	d.mu.RUnlock()
	if !merged {
		return nil
	}
	t, err := u.rlock(d)
	if err != nil {
		return err
	}
	attr.Nlink = uint32(2 + t.subdirs)
	d.mu.RUnlock()
	return nil
}

// dataBlocks shows the space of the data that a metadata-only copy-up left in
// the lower layer (ovl_getattr does the same).
func (u *Union) dataBlocks(n *Inode, attr *Attr) {
	n.mu.RLock()
	data := n.data
	n.mu.RUnlock()
	if data == nil {
		return
	}
	p, err := u.lookLower(data)
	if err != nil {
		return
	}
	defer p.release()
	var st unix.Statx_t
	if p.stat(&st) == nil {
		attr.Blocks = st.Blocks
	}
}
