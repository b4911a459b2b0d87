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

// adopt gives the names that old had too their inodes and places.
func (t *table) adopt(old *table) {
	fresh := t.order
	t.order, t.next = nil, old.next
	kept := map[*entry]bool{}
	for _, l := range old.order {
		if l.e == nil {
			continue
		}
		if e := t.get(l.e.name); e != nil && e.dtype == l.e.dtype && e.top == l.e.top {
			e.inode, e.ino, e.cookie = l.e.inode, l.e.ino, l.cookie
			t.order = append(t.order, listed{l.cookie, e})
			kept[e] = true
		}
	}
	for _, l := range fresh {
		if !kept[l.e] {
			l.e.cookie = t.next
			t.next++
			t.order = append(t.order, listed{l.e.cookie, l.e})
		}
	}
}
