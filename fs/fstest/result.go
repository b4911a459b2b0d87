package fstest

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Result is what an operation showed to its caller.
type Result struct {
	Errno unix.Errno
	Out   string // data, sorted listing, link target, xattr value
	Stat  *StatFields
}

// StatFields are those of a stat that every correct file system agrees on.
type StatFields struct {
	Mode     uint32
	UID, GID uint32
	Size     int64 // 0 for directories
	Nlink    uint32
	Rdev     uint64
}

func (r Result) String() string {
	name := "ok"
	if r.Errno != 0 {
		name = unix.ErrnoName(r.Errno)
	}
	if r.Out != "" {
		name += fmt.Sprintf(" %q", clip(r.Out))
	}
	if s := r.Stat; s != nil {
		name += fmt.Sprintf(" %s %04o %d:%d size=%d nlink=%d rdev=%#x",
			typeLetter(s.Mode), s.Mode&0o7777, s.UID, s.GID, s.Size, s.Nlink, s.Rdev)
	}
	return name
}

// Tolerance names what a comparison lets pass. Each field stands for a
// difference that some file system has by design; the zero value is strict.
type Tolerance struct {
	DirNlink      bool // directories count 1 or anything
	UnlinkedNlink bool // link count of what is open and has no name left
	Mtime         bool // all modification times
	DirMtime      bool // modification times of directories
	FileNlink     bool // link counts of all else
	Links         bool // which names are one inode
	// Errno says whether two results of op that differ are both fine.
	Errno func(op Op, got, want unix.Errno) bool
}

func (tol Tolerance) snapshot() SnapshotOptions {
	return SnapshotOptions{
		DirNlink: !tol.DirNlink, NoMtime: tol.Mtime, NoDirMtime: tol.DirMtime,
		NoNlink: tol.FileNlink, NoLinks: tol.Links,
	}
}

// mismatch says how got differs from want, "" when it doesn't.
func (tol Tolerance) mismatch(op Op, got, want Result) string {
	if got.Errno != want.Errno {
		if tol.Errno != nil && tol.Errno(op, got.Errno, want.Errno) {
			return ""
		}
		return fmt.Sprintf("got %s, want %s", got, want)
	}
	if got.Out != want.Out {
		return "got and want differ:\n" + diffText(got.Out, want.Out)
	}
	if got.Stat == nil || want.Stat == nil {
		return ""
	}
	g, w := *got.Stat, *want.Stat
	if (isDir(g.Mode) && tol.DirNlink) || (tol.UnlinkedNlink && w.Nlink == 0) {
		g.Nlink = w.Nlink
	}
	if tol.FileNlink && !isDir(g.Mode) {
		g.Nlink = w.Nlink
	}
	if g != w {
		return fmt.Sprintf("got %s, want %s", got, want)
	}
	return ""
}

func diffText(got, want string) string {
	if strings.Contains(got, "\n") || strings.Contains(want, "\n") {
		return Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))
	}
	return fmt.Sprintf("  got  %q\n  want %q", clipAround(got, want), clipAround(want, got))
}

// clipAround keeps the bytes around the first difference.
func clipAround(s, other string) string {
	i := 0
	for i < len(s) && i < len(other) && s[i] == other[i] {
		i++
	}
	return fmt.Sprintf("len %d, at %d: %s", len(s), i, s[i:min(i+24, len(s))])
}
