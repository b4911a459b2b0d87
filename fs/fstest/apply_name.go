package fstest

import (
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

func (h host) rename(o Op) error {
	return unix.Renameat2(unix.AT_FDCWD, h.path(o.Path), unix.AT_FDCWD, h.path(o.To), uint(o.Flags))
}

func (h host) getxattr(o Op) (Result, error) {
	v, err := getXattr(h.path(o.Path), o.Name)
	return Result{Out: v}, err
}

// listxattr leaves out the names that a host puts on everything; a union's
// private names stay in: they must not show.
func (h host) listxattr(o Op) (Result, error) {
	names, err := listXattr(h.path(o.Path))
	var kept []string
	for _, name := range names {
		if name != "security.selinux" {
			kept = append(kept, name)
		}
	}
	return Result{Out: sortedLines(kept)}, err
}

func sortedLines(names []string) string {
	sort.Strings(names)
	return strings.Join(names, "\n")
}

func (h host) readlink(o Op) (Result, error) {
	target, err := readlinkat(unix.AT_FDCWD, h.path(o.Path))
	return Result{Out: target}, err
}

func (h host) stat(o Op) (Result, error) {
	var st unix.Stat_t
	if err := unix.Lstat(h.path(o.Path), &st); err != nil {
		return Result{}, err
	}
	return Result{Stat: statFields(&st)}, nil
}

func (h host) heldStat(o Op) (Result, error) {
	var st unix.Stat_t
	if err := unix.Fstat(h.fd(o.Slot), &st); err != nil {
		return Result{}, err
	}
	return Result{Stat: statFields(&st)}, nil
}

func statFields(st *unix.Stat_t) *StatFields {
	f := &StatFields{Mode: st.Mode, UID: st.Uid, GID: st.Gid, Nlink: uint32(st.Nlink), Rdev: st.Rdev}
	if !isDir(st.Mode) {
		f.Size = st.Size
	}
	return f
}

func (h host) readdir(o Op) (Result, error) {
	fd, err := h.open(o.Path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == unix.ENXIO {
		return Result{}, unix.ENOTDIR // O_DIRECTORY's answer for all that is none
	}
	if err != nil {
		return Result{}, err
	}
	r, err := listFD(fd)
	return r, closeAfter(fd, err)
}

// listFD lists from the beginning, whatever was read before.
func listFD(fd int) (Result, error) {
	if _, err := unix.Seek(fd, 0, unix.SEEK_SET); err != nil {
		return Result{}, err
	}
	entries, err := ReadDirents(fd, 32<<10, -1)
	if err != nil {
		return Result{}, err
	}
	var names []string
	for _, e := range entries {
		if e.Name != "." && e.Name != ".." {
			names = append(names, e.letter()+" "+e.Name)
		}
	}
	return Result{Out: sortedLines(names)}, nil
}
