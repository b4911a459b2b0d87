package union

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

func itoa(n int) string { return strconv.Itoa(n) }

// staged is the copy of a lower object while it is made in work.
type staged struct {
	u        *Union
	name     string // in work's stage
	fd       int    // of a regular file, open for writing; else 0
	src      place
	st       *unix.Statx_t // the source, in the host's ids
	redirect string        // where the data is found; set for a metadata copy alone
	data     *lowerRef
}

// make creates the object with its data, and without metadata.
func (s *staged) make(n *Inode, metaOnly bool, limit int64) error {
	stage := s.u.work.stage.fd
	s.name = s.u.work.name()
	if !metaOnly {
		s.redirect = ""
	}
	switch n.typ {
	case unix.S_IFREG:
		return s.makeRegular(n, metaOnly, limit)
	case unix.S_IFLNK:
		target, err := s.u.readlinkPlace(s.src)
		if err != nil {
			return err
		}
		return s.u.makeSymlink(stage, s.name, target)
	default:
		var shown Attr
		if err := s.u.statPlace(s.src, &shown); err != nil {
			return err
		}
		return s.u.ids.mknod(stage, s.name, uint32(shown.Mode)&unix.S_IFMT|0o600, unix.Mkdev(shown.Rdev_major, shown.Rdev_minor))
	}
}

func (s *staged) makeRegular(n *Inode, metaOnly bool, limit int64) error {
	fd, err := hostfs.Open(s.u.work.stage.fd, s.name, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	s.fd = fd
	if metaOnly {
		s.data, err = s.u.dataOf(n)
		if err == nil {
			err = hostfs.Ftruncate(fd, int64(s.st.Size))
		}
	} else {
		err = s.copyData(n, limit)
	}
	if err != nil {
		hostfs.Close(fd)
		s.u.removeStaged(s.name)
	}
	return err
}

func (s *staged) copyData(n *Inode, limit int64) error {
	size := int64(s.st.Size)
	if limit >= 0 {
		size = min(size, limit)
	}
	if size == 0 {
		return nil
	}
	data, err := s.u.dataOf(n)
	if err != nil {
		return err
	}
	src, err := s.u.openLowerFile(data)
	if err != nil {
		return err
	}
	defer hostfs.Close(src)
	return s.u.spend(s.fd, "", min(size, int64(s.st.Blocks)*blockSize), func() error { return hostfs.CopyData(s.fd, src, size, true) })
}

// metadata gives the copy the source's owner, mode, extended attributes and
// times, and says whose copy it is. The owner comes first, because a change of
// owner clears mode bits and capabilities; times come last.
func (s *staged) metadata(origin identity) error {
	stage := s.u.work.stage.fd
	if err := s.u.ids.copyOwner(s.src, s.st, stage, s.name); err != nil {
		return err
	}
	if err := s.xattrs(); err != nil {
		return err
	}
	if err := s.marks(origin); err != nil {
		return err
	}
	if err := s.u.ids.copyMode(s.st, stage, s.name); err != nil {
		return err
	}
	return hostfs.Utimes(stage, s.name, hostfs.Timespec(s.st.Atime), hostfs.Timespec(s.st.Mtime))
}

// marks writes the private attributes, or notes in work what an object that
// can't carry any would say.
func (s *staged) marks(origin identity) error {
	if !s.u.caps.Xattrs {
		return nil
	}
	several := s.st.Nlink > 1 && s.st.Mode&unix.S_IFMT != unix.S_IFDIR
	if several && !s.u.keepsIndex() {
		// Copies of one file are different files, also by number.
		return s.metacopyMarks()
	}
	stage := s.u.work.stage.fd
	if s.u.recordsOrigin(uint32(s.st.Mode) & unix.S_IFMT) {
		r := record{origin: origin, links: -1}
		if several {
			r.links = int(s.st.Nlink)
		}
		return s.u.recordCopy(s.name, r)
	}
	err := s.u.mark(stage, s.name, whiteout.UnionOrigin, origin.String())
	if err != nil && err != unix.EPERM && err != unix.EOPNOTSUPP {
		return err
	}
	if several {
		err := s.u.mark(stage, s.name, whiteout.UnionLinks, itoa(int(s.st.Nlink)))
		if err != nil && err != unix.EPERM && err != unix.EOPNOTSUPP {
			return err
		}
	}
	return s.metacopyMarks()
}

// metacopyMarks says that the copy has no data, and where the data is.
func (s *staged) metacopyMarks() error {
	if s.redirect == "" {
		return nil
	}
	stage := s.u.work.stage.fd
	if err := s.u.mark(stage, s.name, whiteout.Redirect, s.redirect); err != nil {
		return err
	}
	return s.u.mark(stage, s.name, whiteout.Metacopy, "")
}

// xattrs copies what users may see; what upper can't hold and POSIX doesn't
// need is left out, as ovl_copy_xattr does.
func (s *staged) xattrs() error {
	names, err := hostfs.ListxattrAll(s.src.h.fd, s.src.name)
	if err != nil {
		if err == unix.EOPNOTSUPP {
			return nil
		}
		return err
	}
	for _, name := range names {
		if !s.u.carries(name) {
			continue
		}
		value, err := hostfs.GetxattrAll(s.src.h.fd, s.src.name, name)
		if err == nil {
			if s.u.ids.isolates(name) {
				name = isolated(name)
			}
			err = hostfs.Setxattr(s.u.work.stage.fd, s.name, name, value, 0)
		}
		if err != nil && !mayLose(name, err) {
			return err
		}
	}
	return nil
}

// carries tells whether copy-up takes the attribute along: all but what
// states the lower object's own place in its layer, and the override, which
// copyOwner writes.
func (u *Union) carries(name string) bool {
	if u.ids.overrides && whiteout.IsOverride(name) {
		_, carried := u.ids.unisolated(name)
		return carried
	}
	if _, shown := whiteout.Unescape(name); !shown {
		return false
	}
	return true
}

// mayLose tells whether an attribute that upper refuses can be done without.
func mayLose(name string, err error) bool {
	switch err {
	case unix.ENODATA:
		return true // gone since it was listed
	case unix.EOPNOTSUPP:
		return !strings.HasPrefix(name, "system.posix_acl_")
	case unix.EPERM, unix.EACCES:
		return strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "trusted.")
	}
	return false
}
