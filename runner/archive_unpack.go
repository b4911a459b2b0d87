package runner

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// unpackBelow unpacks an archive into a directory beneath a root. Names in it
// count from that directory; neither they nor symlinks lead out of the root. ids
// are those that the root shows owners in.
func unpackBelow(root int, ids sandbox.IDMaps, dir string, r io.Reader) error {
	if err := actAsRootOf(ids); err != nil {
		return err
	}
	t := tar.NewReader(bufio.NewReaderSize(r, 256<<10))
	for {
		h, err := t.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return fmt.Errorf("the archive: %w", err)
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader:
			continue // git's archives have the commit there
		case tar.TypeGNUSparse, tar.TypeCont:
			h.Typeflag = tar.TypeReg // as it is read
		}
		if !filepath.IsLocal(strings.TrimSuffix(h.Name, "/")) || h.Typeflag == tar.TypeLink && !filepath.IsLocal(h.Linkname) {
			return fmt.Errorf("the archive: %q leads out of the place that it is for", h.Name)
		}
		h.Uid, h.Gid = shownOwner(ids.UIDs, h.Uid), shownOwner(ids.GIDs, h.Gid)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = path.Join("/", dir, h.Linkname)
		}
		if err := unpackOne(root, path.Join("/", dir, h.Name), h, t); err != nil {
			return fmt.Errorf("%s: %w", path.Join("/", dir, h.Name), err)
		}
	}
}

// shownOwner is who a file's owner is where it is written. Who isn't there is
// given to root.
func shownOwner(ranges []sandbox.IDRange, id int) int {
	shown, ok := outsideID(ranges, uint32(id))
	if !ok {
		shown, _ = outsideID(ranges, 0)
	}
	return int(shown)
}

func unpackOne(root int, name string, h *tar.Header, body io.Reader) error {
	parent, err := openBelow(root, path.Dir(name), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	base := path.Base(name)
	if h.Typeflag == tar.TypeDir {
		return unpackDir(root, parent, name, base, h)
	}
	if base == "/" || base == "." {
		return errors.New("the root is a directory")
	}
	var st unix.Stat_t
	if unix.Fstatat(parent, base, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return errors.New("a directory is there, and what comes is none")
		}
		switch err := unix.Unlinkat(parent, base, 0); {
		case err == unix.EBUSY && h.Typeflag == tar.TypeReg && st.Mode&unix.S_IFMT == unix.S_IFREG:
			return unpackOver(parent, base, h, body)
		case err != nil:
			return err
		}
	}
	if h.Typeflag == tar.TypeLink {
		return linkBeside(root, parent, base, h.Linkname)
	}
	return unpackNew(parent, base, h, body)
}

// linkBeside gives a file that came earlier one more name.
func linkBeside(root, parent int, base, first string) error {
	from, err := openBelow(root, path.Dir(first), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("a link to %s: %w", first, err)
	}
	defer unix.Close(from)
	if err := unix.Linkat(from, path.Base(first), parent, base, 0); err != nil {
		return fmt.Errorf("a link to %s: %w", first, err)
	}
	return nil
}

// unpackOver writes to a file that is a mount, and has to stay.
func unpackOver(parent int, base string, h *tar.Header, body io.Reader) error {
	f, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_TRUNC|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(f)
	if _, err := io.Copy(bareFile(f), body); err != nil {
		return err
	}
	return giveAttrs(f, h)
}

func unpackDir(root, parent int, name, base string, h *tar.Header) error {
	if base != "/" {
		if err := unix.Mkdirat(parent, base, 0o755); err != nil && err != unix.EEXIST {
			return err
		}
	}
	fd, err := openBelow(root, name, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == unix.ENOTDIR {
		return errors.New("a file is there, and what comes is a directory")
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if h.Name == "." || h.Name == "./" {
		return nil // the place itself stays as it is
	}
	return giveAttrs(fd, h)
}

func unpackNew(parent int, base string, h *tar.Header, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeReg:
		f, err := unix.Openat(parent, base, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return err
		}
		defer unix.Close(f)
		if _, err := io.Copy(bareFile(f), body); err != nil {
			return err
		}
		return giveAttrs(f, h)
	case tar.TypeSymlink:
		if err := unix.Symlinkat(h.Linkname, parent, base); err != nil {
			return err
		}
		return giveOwner(h, func(uid, gid int) error { return unix.Fchownat(parent, base, uid, gid, unix.AT_SYMLINK_NOFOLLOW) })
	case tar.TypeFifo:
		if err := unix.Mknodat(parent, base, unix.S_IFIFO|0o600, 0); err != nil {
			return err
		}
	case tar.TypeChar, tar.TypeBlock:
		kind := uint32(unix.S_IFCHR)
		if h.Typeflag == tar.TypeBlock {
			kind = unix.S_IFBLK
		}
		if err := unix.Mknodat(parent, base, kind|0o600, int(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))); err != nil {
			return err
		}
	default:
		return fmt.Errorf("entries of type %q can't be copied", h.Typeflag)
	}
	fd, err := unix.Openat(parent, base, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return giveAttrs(fd, h)
}

// giveAttrs sets owner, mode and time of what is open.
func giveAttrs(fd int, h *tar.Header) error {
	self := fmt.Sprintf("/proc/thread-self/fd/%d", fd)
	if err := giveOwner(h, func(uid, gid int) error { return unix.Chown(self, uid, gid) }); err != nil {
		return err
	}
	if err := unix.Chmod(self, uint32(h.Mode)&0o7777); err != nil {
		return err
	}
	mtime := unix.NsecToTimespec(h.ModTime.UnixNano())
	return unix.UtimesNanoAt(unix.AT_FDCWD, self, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}, 0)
}

// giveOwner gives to root what belongs to somebody who has no number in this user
// namespace.
func giveOwner(h *tar.Header, chown func(uid, gid int) error) error {
	err := chown(h.Uid, h.Gid)
	if err == unix.EINVAL {
		err = chown(0, 0)
	}
	return err
}
