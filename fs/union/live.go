package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// stamp tells whether a directory of a layer has changed since it was read.
type stamp struct {
	mtime, ctime unix.StatxTimestamp
}

// stamps looks at all directories that d merges. The caller holds d.mu.
func (u *Union) stamps(d *dir) ([]stamp, error) {
	refs := d.lowers
	if d.upper != nil {
		refs = append([]*dirRef{d.upper}, refs...)
	}
	all := make([]stamp, 0, len(refs))
	for _, ref := range refs {
		h, err := u.openDir(ref)
		if err != nil {
			return nil, err
		}
		var st unix.Statx_t
		err = hostfs.Statx(h.fd, "", &st)
		h.release()
		if err != nil {
			return nil, err
		}
		all = append(all, stamp{st.Mtime, st.Ctime})
	}
	return all, nil
}

// refresh reads a directory again when one of its layers' has changed: what
// timeout=0 promises to people who change layers under the mount. Names that
// are still there keep their inodes and cookies.
func (u *Union) refresh(n *Inode) error {
	d := n.dir
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.table == nil || d.removed {
		return nil
	}
	now, err := u.stamps(d)
	if err != nil {
		return err
	}
	if sameStamps(d.stamps, now) {
		return nil
	}
	old := d.table
	d.table = nil
	if _, err := u.loaded(d); err != nil {
		d.table = old
		return err
	}
	d.table.adopt(old)
	return nil
}

func sameStamps(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// adopt gives the names that old had too their inodes and places; the others
// come as if they were made now.
func (t *table) adopt(old *table) {
	found := t.old
	t.old, t.young, t.holes, t.subdirs = nil, nil, 0, 0
	keep := func(places []listed) (kept []listed) {
		for _, l := range places {
			if l.e == nil {
				continue
			}
			if e := t.get(l.e.name); e != nil && e.dtype == l.e.dtype && e.top == l.e.top {
				e.inode, e.ino, e.cookie = l.e.inode, l.e.ino, l.cookie
				kept = append(kept, listed{l.cookie, e})
				t.count(e, 1)
			}
		}
		return kept
	}
	was := func(e *entry) bool { o := old.get(e.name); return o != nil && o.cookie == e.cookie }
	for i := range found {
		found[i].e.cookie = 0
	}
	t.old, t.young = keep(old.old), keep(old.young)
	for _, l := range found {
		if !was(l.e) {
			t.show(l.e)
		}
	}
}
