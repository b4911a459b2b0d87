package fstest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// scanner walks a tree by descriptors relative to each directory, so that
// paths beyond PATH_MAX are no obstacle and no symlink is ever followed.
type scanner struct {
	opt     SnapshotOptions
	keep    bool // keep the content of files
	until   time.Time
	objects []*Object
}

func scan(root string, opt SnapshotOptions, keep bool) ([]*Object, error) {
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	s := &scanner{opt: opt, keep: keep}
	s.until = time.Now().Add(time.Hour)
	dir := os.NewFile(uintptr(fd), root)
	defer func() { _ = dir.Close() }() // opened for reading only: nothing to lose
	if err := s.object(fd, ".", "."); err != nil {
		return nil, err
	}
	if err := s.children(dir, ""); err != nil {
		return nil, err
	}
	groupLinks(s.objects)
	return s.objects, nil
}

func (s *scanner) children(dir *os.File, prefix string) error {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	for _, name := range names {
		if err := s.child(int(dir.Fd()), name, path.Join(prefix, name)); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) child(dirfd int, name, full string) error {
	if err := s.object(dirfd, name, full); err != nil {
		return err
	}
	if !isDir(s.objects[len(s.objects)-1].Mode) {
		return nil
	}
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", full, err)
	}
	dir := os.NewFile(uintptr(fd), name)
	defer func() { _ = dir.Close() }() // opened for reading only: nothing to lose
	return s.children(dir, full)
}

// object reads one name. /proc/self/fd gives the l*xattr calls a path that is
// short and ends in the name itself, so that symlinks' own xattrs are read.
func (s *scanner) object(dirfd int, name, full string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("stat %s: %w", full, err)
	}
	o := &Object{
		Path: full, Mode: st.Mode, UID: st.Uid, GID: st.Gid, Rdev: st.Rdev,
		Nlink: uint32(st.Nlink), Mtime: s.stamp(st.Mtim), id: [2]uint64{st.Dev, st.Ino},
	}
	if !isDir(st.Mode) {
		o.Size = st.Size
	}
	if err := s.content(o, dirfd, name); err != nil {
		return fmt.Errorf("read %s: %w", full, err)
	}
	if !s.opt.NoXattrs {
		attrs, err := readXattrs(fmt.Sprintf("/proc/self/fd/%d/%s", dirfd, name), s.opt.Private)
		if err != nil {
			return fmt.Errorf("xattrs of %s: %w", full, err)
		}
		o.Xattrs = attrs
	}
	s.objects = append(s.objects, o)
	return nil
}

func (s *scanner) stamp(ts unix.Timespec) Stamp {
	at := time.Unix(ts.Sec, ts.Nsec)
	if !s.opt.Since.IsZero() && !at.Before(s.opt.Since) && at.Before(s.until) {
		return Stamp{Now: true}
	}
	return Stamp{Sec: ts.Sec, Nsec: ts.Nsec}
}

func (s *scanner) content(o *Object, dirfd int, name string) error {
	switch o.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := readlinkat(dirfd, name)
		o.Target = target
		return err
	case unix.S_IFREG:
		fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Close(fd) }() // opened for reading only: nothing to lose
		return s.sum(o, fd)
	}
	return nil
}

func readlinkat(dirfd int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dirfd, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// sum hashes size and data, and skips holes: a sparse file of gigabytes costs
// what it holds. Zero blocks are skipped also where they are stored, so that
// a hole and stored zeros, which read the same, give the same sum.
func (s *scanner) sum(o *Object, fd int) error {
	h := sha256.New()
	fmt.Fprintf(h, "%d\n", o.Size)
	if s.keep {
		o.data = make([]byte, o.Size)
	}
	err := eachBlock(fd, o.Size, func(off int64, block []byte) {
		fmt.Fprintf(h, "@%d\n", off)
		h.Write(block)
		if s.keep {
			copy(o.data[off:], block)
		}
	})
	h.Sum(o.Sum[:0])
	return err
}
