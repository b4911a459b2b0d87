package runner

import (
	"archive/tar"
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// packBelow writes an archive of a path. ids are those that the root shows
// owners in.
func packBelow(root int, ids sandbox.IDMaps, name string, follow bool, w io.Writer) error {
	flags := unix.O_PATH
	if !follow && !strings.HasSuffix(name, "/") && !strings.HasSuffix(name, "/.") {
		flags |= unix.O_NOFOLLOW // the others say that a directory is meant
	}
	fd, err := openBelow(root, name, flags, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer unix.Close(fd)
	out := bufio.NewWriterSize(w, 256<<10)
	t := &packer{Writer: tar.NewWriter(out), ids: ids, names: map[inode]string{}}
	if err := packObject(t, fd, "."); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return out.Flush()
}

type packer struct {
	*tar.Writer
	ids sandbox.IDMaps
	// names are the first ones of files that have several.
	names map[inode]string
}

// inode is what the names of one file have in common.
type inode struct{ dev, ino uint64 }

// packObject writes one object that is open (O_PATH), and all below it.
func packObject(t *packer, fd int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	h := &tar.Header{
		Name: name, Mode: int64(st.Mode & 0o7777), Uid: int(onDisk(t.ids.UIDs, st.Uid)), Gid: int(onDisk(t.ids.GIDs, st.Gid)), Format: tar.FormatPAX,
		ModTime: time.Unix(st.Mtim.Unix()),
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case unix.S_IFLNK:
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, "", target)
		if err != nil {
			return err
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, string(target[:n])
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, st.Size
		if first, ok := t.names[inode{st.Dev, st.Ino}]; ok {
			h.Typeflag, h.Size, h.Linkname = tar.TypeLink, 0, first
		} else if st.Nlink > 1 {
			t.names[inode{st.Dev, st.Ino}] = name
		}
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = tar.TypeChar
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			h.Typeflag = tar.TypeBlock
		}
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	default:
		return nil // sockets are nothing without their owners
	}
	if err := t.WriteHeader(h); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return packData(t, fd, st.Size)
	case tar.TypeDir:
		return packChildren(t, fd, name)
	}
	return nil
}

func reopen(fd, flags int) (int, error) {
	return unix.Open(fmt.Sprintf("/proc/thread-self/fd/%d", fd), flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
}

func packData(t *packer, fd int, size int64) error {
	f, err := reopen(fd, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(f)
	n, err := io.Copy(t, io.LimitReader(bareFile(f), size))
	if err == nil && n < size { // it became shorter meanwhile
		_, err = io.CopyN(t, zeroes{}, size-n)
	}
	return err
}

// zeroes never end.
type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func packChildren(t *packer, fd int, name string) error {
	dir, err := reopen(fd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, child := range names {
		c, err := unix.Openat(fd, child, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err == unix.ENOENT {
			continue // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("%s/%s: %w", name, child, err)
		}
		err = packObject(t, c, path.Join(name, child))
		unix.Close(c)
		if err != nil {
			return err
		}
	}
	return nil
}

func namesIn(dir int) ([]string, error) {
	var names []string
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Getdents(dir, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return names, err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
}
