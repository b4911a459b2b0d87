package layertar

import (
	"bytes"
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// same compares two objects of one type. The data of files is read only where
// nothing else tells: an untouched inode (a snapshot of btrfs or zfs keeps
// numbers and change times) has the data it had, and another time of
// modification is a change by itself.
func (d *differ) same(dir, name string, a, b *unix.Statx_t) (bool, error) {
	kind := typeOf(b)
	if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || a.Rdev_major != b.Rdev_major || a.Rdev_minor != b.Rdev_minor {
		return false, nil
	}
	if kind != unix.S_IFDIR && a.Size != b.Size {
		return false, nil
	}
	if a.Mtime != b.Mtime && !d.isMark(dir, name, b) {
		return false, nil
	}
	// Attributes come first: zfs-fuse changes no time for them.
	if same, err := d.sameXattrs(dir, name); err != nil || !same {
		return false, err
	}
	if a.Ino == b.Ino && a.Ctime == b.Ctime && kind != unix.S_IFDIR {
		return true, nil
	}
	switch kind {
	case unix.S_IFREG:
		return d.sameData(dir, name, int64(b.Size))
	case unix.S_IFLNK:
		return d.sameTarget(dir, name)
	}
	return true, nil
}

// isMark tells of a whiteout, or the like, in changed.
func (d *differ) isMark(dir, name string, st *unix.Statx_t) bool {
	switch typeOf(st) {
	case unix.S_IFCHR:
		return st.Rdev_major == 0 && st.Rdev_minor == 0
	case unix.S_IFREG:
	default:
		return false
	}
	if st.Size > 0 {
		return false
	}
	fd, err := d.dirs.open(dirRef{d.changed, dir})
	if err != nil {
		return false
	}
	class, _, err := whiteout.Classify(fd, whiteout.DirMarks{XWhiteouts: true}, []byte(name), unix.DT_REG)
	return err == nil && class != whiteout.Plain
}

// eachSide does something with the object in both trees.
func (d *differ) eachSide(dir string, do func(side, dirfd int) error) error {
	for side, l := range [...]*layer{d.base, d.changed} {
		fd, err := d.dirs.open(dirRef{l, dir})
		if err != nil {
			return err
		}
		if err := do(side, fd); err != nil {
			return err
		}
	}
	return nil
}

func (d *differ) sameXattrs(dir, name string) (bool, error) {
	var sets [2][]xattr
	err := d.eachSide(dir, func(side, fd int) (err error) {
		sets[side], err = rawXattrs(fd, name)
		return err
	})
	return err == nil && slices.Equal(sets[0], sets[1]), err
}

// rawXattrs reads all attributes as they are on disk.
func rawXattrs(dirfd int, name string) ([]xattr, error) {
	names, err := hostfs.ListxattrAll(dirfd, name)
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	slices.Sort(names)
	var out []xattr
	for _, n := range names {
		v, verr := hostfs.GetxattrAll(dirfd, name, n)
		if verr != nil && verr != unix.ENODATA {
			return nil, &xattrError{n, verr}
		}
		out = append(out, xattr{n, string(v)})
	}
	return out, err
}

func (d *differ) sameTarget(dir, name string) (bool, error) {
	var targets [2]string
	err := d.eachSide(dir, func(side, fd int) (err error) {
		targets[side], err = hostfs.Readlink(fd, name)
		return err
	})
	return targets[0] == targets[1], err
}

func (d *differ) sameData(dir, name string, size int64) (bool, error) {
	if size == 0 {
		return true, nil
	}
	fds := [2]int{-1, -1}
	defer func() {
		for _, fd := range fds {
			if fd >= 0 {
				hostfs.Close(fd)
			}
		}
	}()
	err := d.eachSide(dir, func(side, fd int) (err error) {
		fds[side], err = hostfs.Open(fd, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return false, err
	}
	a, b := make([]byte, bufSize), make([]byte, bufSize)
	for off := int64(0); off < size; off += bufSize {
		if d.ctx.Err() != nil {
			return false, context.Cause(d.ctx)
		}
		n, err := hostfs.Pread(fds[0], a, off)
		if err != nil {
			return false, err
		}
		m, err := hostfs.Pread(fds[1], b, off)
		if err != nil || !bytes.Equal(a[:n], b[:m]) {
			return false, err
		}
	}
	return true, nil
}

func (d *differ) noteLinks(path string, a, b *unix.Statx_t) {
	if b.Nlink < 2 && (a == nil || a.Nlink < 2) {
		return
	}
	l := linkedPath{path: path, isIn: inodeOf(b)}
	if a != nil && typeOf(a) != unix.S_IFDIR {
		l.was = inodeOf(a)
	}
	d.links = append(d.links, l)
}

// relink finds the names that belong together now and didn't, or did and
// don't, though nothing else of them changed. And where one name of a file has
// changed all have: an archive links only to what it holds.
func (d *differ) relink() {
	was, is := map[inode]inode{}, map[inode]inode{}
	regrouped := map[inode]bool{} // of changed
	for _, l := range d.links {
		if other, seen := was[l.was]; seen && other != l.isIn && l.was != (inode{}) {
			regrouped[other], regrouped[l.isIn] = true, true
		}
		if other, seen := is[l.isIn]; seen && other != l.was {
			regrouped[l.isIn] = true
		}
		was[l.was], is[l.isIn] = l.isIn, l.was
		if _, changed := d.set[l.path]; changed {
			regrouped[l.isIn] = true
		}
	}
	for _, l := range d.links {
		if _, known := d.set[l.path]; !known && regrouped[l.isIn] {
			d.set[l.path] = Changed
		}
	}
}
