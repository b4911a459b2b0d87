package union

import (
	"cmp"
	"slices"
)

// Forget gives n references back. An inode nobody refers to, and below which
// nobody refers to any, leaves memory; OnGone is told.
func (u *Union) Forget(n *Inode, refs uint64) {
	if n.refs.Add(-int64(refs)) > 0 {
		return
	}
	u.tree.RLock()
	defer u.tree.RUnlock()
	u.detachUpwards(n)
}

// forgetLocked is Forget for a caller that holds Union.tree.
func (u *Union) forgetLocked(n *Inode, refs uint64) {
	if n.refs.Add(-int64(refs)) <= 0 {
		u.detachUpwards(n)
	}
}

// detachUpwards takes n out of memory, and then its parents that only stayed
// for its sake.
func (u *Union) detachUpwards(n *Inode) {
	for pending := []*Inode{n}; len(pending) > 0; {
		n := pending[len(pending)-1]
		pending = append(pending[:len(pending)-1], u.detach(n)...)
	}
}

func (n *Inode) idle() bool { return n.refs.Load() <= 0 && n.kids.Load() == 0 }

// detach removes n from its entries and answers the parents that may now
// follow. The locks of its directories keep Lookup from taking a reference
// meanwhile; one by a name not known yet goes through links.
func (u *Union) detach(n *Inode) []*Inode {
	if n == u.root || !n.idle() {
		return nil
	}
	names := lockLinks(n)
	defer unlockLinks(names)
	if n.mtimeKept.Load() && n.idle() {
		n.mu.RLock()
		if err := u.restoreMtime(n); err != nil && n.seldom().orphan == "" {
			u.warn("mtime of " + n.name + ": " + err.Error())
		}
		n.mu.RUnlock()
	}
	u.linksMu.Lock()
	if !n.idle() || n.gone.Load() {
		u.linksMu.Unlock()
		return nil
	}
	n.gone.Store(true)
	if u.links[n.ino] == n {
		delete(u.links, n.ino)
	}
	u.linksMu.Unlock()
	parents := clearLinks(n, names)
	u.discard(n)
	if u.OnGone != nil {
		u.OnGone(n)
	}
	return parents
}

func clearLinks(n *Inode, names []link) []*Inode {
	var parents []*Inode
	for _, l := range names {
		l.parent.kids.Add(-1)
		if t := l.parent.dir.table; t != nil {
			if e := t.names.get(l.name); e != nil && e.inode == n {
				e.inode = nil
			}
		}
		parents = append(parents, l.parent)
	}
	return parents
}

// lockLinks locks the directories of all names of n, in the order of their
// ids, and answers the names.
func lockLinks(n *Inode) []link {
	n.mu.RLock()
	names := make([]link, 0, 1)
	if n.parent != nil {
		names = append(append(names, link{n.parent, n.name}), n.seldom().others...)
	}
	n.mu.RUnlock()
	slices.SortFunc(names, func(a, b link) int { return cmp.Compare(a.parent.dir.id, b.parent.dir.id) })
	for i, l := range names {
		if i == 0 || names[i-1].parent != l.parent {
			l.parent.dir.mu.Lock()
		}
	}
	return names
}

func unlockLinks(names []link) {
	for i, l := range names {
		if i == 0 || names[i-1].parent != l.parent {
			l.parent.dir.mu.Unlock()
		}
	}
}

// discard gives back what the host holds for an inode that is gone.
func (u *Union) discard(n *Inode) {
	u.files.drop(&n.file)
	if n.seldom().orphan != "" {
		if u.recordsOrigin(n.typ) {
			u.forgetOrigin(n.seldom().orphan)
		}
		u.removeOrphan(n)
	}
	if n.dir == nil {
		return
	}
	if n.dir.upper != nil {
		u.dirs.drop(&n.dir.upper.slot)
	}
	for _, ref := range n.dir.lowers {
		u.dirs.drop(&ref.slot)
	}
}
