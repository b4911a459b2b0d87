package union

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/hostfs"
)

// mirror copies a union's tree to plain directories, so that what fstest knows
// of those it knows of the union. On the way it checks that listings, with
// attributes and without, and stat agree.
type mirror struct {
	u       *Union
	extra   string // for links that make up st_nlink
	first   map[*Inode]string
	count   map[*Inode]uint32
	attrs   map[*Inode]Attr
	numbers map[uint64]*Inode
	refs    []*Inode
}

func mirrorOf(u *Union, base string) (root string, err error) {
	root = filepath.Join(base, "root")
	m := &mirror{
		u: u, extra: filepath.Join(base, "extra"), first: map[*Inode]string{},
		count: map[*Inode]uint32{}, attrs: map[*Inode]Attr{}, numbers: map[uint64]*Inode{},
	}
	for _, dir := range []string{root, m.extra} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return "", err
		}
	}
	defer func() {
		for _, n := range m.refs {
			u.Forget(n, 1)
		}
	}()
	var attr Attr
	if err := u.GetAttr(u.Root(), &attr); err != nil {
		return "", err
	}
	if err := m.dir(u.Root(), &attr, root); err != nil {
		return "", err
	}
	return root, m.links()
}

// treeOf prints a union's tree.
func treeOf(t testing.TB, u *Union, opt fstest.SnapshotOptions) ([]string, error) {
	t.Helper()
	base, err := os.MkdirTemp("", "mirror")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(base)
	root, err := mirrorOf(u, base)
	if err != nil {
		return nil, err
	}
	return fstest.Snapshot(root, opt)
}

func (m *mirror) dir(n *Inode, attr *Attr, at string) error {
	plain := map[string]uint64{}
	err := m.u.ReadDir(n, 0, false, func(e *DirEntry) bool {
		plain[e.Name] = e.Ino
		return true
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", at, err)
	}
	var rows []DirEntry
	err = m.u.ReadDir(n, 0, true, func(e *DirEntry) bool {
		if e.Inode != nil {
			m.refs = append(m.refs, e.Inode)
			rows = append(rows, *e)
		}
		return true
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", at, err)
	}
	if len(plain) != len(rows)+2 {
		return fmt.Errorf("%s: listings of %d and %d names", at, len(plain)-2, len(rows))
	}
	subdirs := uint32(0)
	for i := range rows {
		e := &rows[i]
		if err := m.entry(n, e, plain[e.Name], filepath.Join(at, e.Name)); err != nil {
			return err
		}
		if e.Type == unix.DT_DIR {
			subdirs++
		}
	}
	if attr.Nlink != 2+subdirs {
		return fmt.Errorf("%s: nlink %d with %d directories in it", at, attr.Nlink, subdirs)
	}
	return m.dress(n, attr, at)
}

func (m *mirror) entry(dir *Inode, e *DirEntry, listed uint64, at string) error {
	n := e.Inode
	var attr, again Attr
	other, err := m.u.Lookup(dir, e.Name, &again)
	if err != nil {
		return fmt.Errorf("lookup %s: %w", at, err)
	}
	m.u.Forget(other, 1)
	if err := m.u.GetAttr(n, &attr); err != nil {
		return fmt.Errorf("stat %s: %w", at, err)
	}
	for _, a := range []*Attr{&attr, &again, &e.Attr} {
		a.Atime = unix.StatxTimestamp{} // looking changes it
	}
	switch {
	case other != n:
		return fmt.Errorf("%s: two inodes for one name", at)
	case attr != e.Attr || attr != again:
		return fmt.Errorf("%s: listing, look-up and stat differ:\n%+v\n%+v\n%+v", at, e.Attr, again, attr)
	case e.Ino != attr.Ino || n.Ino() != attr.Ino || listed != attr.Ino:
		return fmt.Errorf("%s: inode numbers %#x in listings, %#x with attributes, %#x in stat", at, listed, e.Ino, attr.Ino)
	case uint32(e.Type)<<12 != uint32(attr.Mode)&unix.S_IFMT:
		return fmt.Errorf("%s: type %d in the listing, mode %#o", at, e.Type, attr.Mode)
	}
	if old := m.numbers[attr.Ino]; old != nil && old != n {
		return fmt.Errorf("%s: its inode number %#x is %s's too", at, attr.Ino, m.first[old])
	}
	m.numbers[attr.Ino] = n
	if n.dir != nil {
		m.first[n] = at
		if err := os.Mkdir(at, 0o700); err != nil {
			return err
		}
		return m.dir(n, &attr, at)
	}
	m.count[n]++
	if first := m.first[n]; first != "" {
		return unix.Link(first, at)
	}
	m.first[n], m.attrs[n] = at, attr
	if err := m.make(n, &attr, at); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return m.dress(n, &attr, at)
}

func (m *mirror) make(n *Inode, attr *Attr, at string) error {
	switch n.typ {
	case unix.S_IFREG:
		data, err := readWhole(m.u, n)
		if err != nil {
			return err
		}
		if uint64(len(data)) != attr.Size {
			return fmt.Errorf("%d bytes in a file of size %d", len(data), attr.Size)
		}
		return os.WriteFile(at, []byte(data), 0o600)
	case unix.S_IFLNK:
		target, err := m.u.Readlink(n)
		if err != nil {
			return err
		}
		return unix.Symlink(target, at)
	}
	return unix.Mknod(at, n.typ|0o600, int(unix.Mkdev(attr.Rdev_major, attr.Rdev_minor)))
}

func (m *mirror) dress(n *Inode, attr *Attr, at string) error {
	if err := unix.Lchown(at, int(attr.Uid), int(attr.Gid)); err != nil {
		return err
	}
	if n.typ != unix.S_IFLNK {
		if err := unix.Chmod(at, uint32(attr.Mode)&0o7777); err != nil {
			return err
		}
	}
	names, err := xattrNames(m.u, n)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	for _, name := range names {
		buf := make([]byte, 65536)
		k, err := m.u.GetXattr(n, name, buf)
		if err != nil {
			return fmt.Errorf("%s: listed %s: %w", at, name, err)
		}
		if err := unix.Lsetxattr(at, name, buf[:k], 0); err != nil {
			return fmt.Errorf("%s: %s: %w", at, name, err)
		}
	}
	ts := []unix.Timespec{hostfs.Timespec(attr.Atime), hostfs.Timespec(attr.Mtime)}
	return unix.UtimesNanoAt(unix.AT_FDCWD, at, ts, unix.AT_SYMLINK_NOFOLLOW)
}

// links gives files the link counts that the union shows: names outside of the
// tree stand for those that layers count and hide.
func (m *mirror) links() error {
	for n, attr := range m.attrs {
		if attr.Nlink < m.count[n] {
			return fmt.Errorf("%s: nlink %d with %d names", m.first[n], attr.Nlink, m.count[n])
		}
		for i := m.count[n]; i < attr.Nlink; i++ {
			if err := unix.Link(m.first[n], fmt.Sprintf("%s/%x-%d", m.extra, attr.Ino, i)); err != nil {
				return err
			}
		}
	}
	return nil
}
