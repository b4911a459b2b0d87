package union

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// A kernel that keeps written pages to itself for a while also keeps the
// file's mtime: it is right from the moment of the write, and sent when it
// differs from the one before. What the host notes when the pages arrive later
// is not the file's mtime. So the mtime from before such a write is kept here,
// and restored when the kernel gives the inode up without having sent another.

// keepMtime remembers the mtime before a written-back page reaches the host.
func (u *Union) keepMtime(n *Inode, fd int) error {
	if n.mtimeKept.Load() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mtimeKept.Load() {
		return nil
	}
	var st unix.Statx_t
	if err := hostfs.Statx(fd, "", &st); err != nil {
		return err
	}
	n.mtime = st.Mtime
	u.linksMu.Lock()
	u.late[n] = struct{}{}
	u.linksMu.Unlock()
	n.mtimeKept.Store(true)
	return nil
}

// mtimeKnown ends the keeping: the file's mtime is set, or has been restored.
func (u *Union) mtimeKnown(n *Inode) bool {
	if !n.mtimeKept.Swap(false) {
		return false
	}
	u.linksMu.Lock()
	delete(u.late, n)
	u.linksMu.Unlock()
	return true
}

// restoreMtimes does it for all, at the end: an unmount forgets nothing by name.
func (u *Union) restoreMtimes() {
	u.linksMu.Lock()
	late := make([]*Inode, 0, len(u.late))
	for n := range u.late {
		late = append(late, n)
	}
	u.linksMu.Unlock()
	for _, n := range late {
		if err := u.restoreMtime(n); err != nil && n.seldom().orphan == "" {
			u.warn("mtime of " + n.name + ": " + err.Error())
		}
	}
}

// restoreMtime puts it back on the host's file.
func (u *Union) restoreMtime(n *Inode) error {
	if !u.mtimeKnown(n) {
		return nil
	}
	p, err := u.upperPlace(n)
	if err != nil {
		return err
	}
	defer p.release()
	return hostfs.Utimes(p.h.fd, p.name, unix.Timespec{Nsec: unix.UTIME_OMIT}, hostfs.Timespec(n.mtime))
}
