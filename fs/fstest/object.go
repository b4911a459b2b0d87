package fstest

import (
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// Object is one name of a tree with everything that is compared about it.
type Object struct {
	Path   string // from the root; "." is the root
	Mode   uint32 // type and permission bits as in st_mode
	UID    uint32
	GID    uint32
	Size   int64 // 0 for directories: their size means nothing across file systems
	Mtime  Stamp
	Rdev   uint64
	Nlink  uint32
	Target string
	Xattrs map[string]string
	Sum    [sha256.Size]byte
	Group  string // first path (in order) of the same inode, when there are several

	data []byte // content, when the scan was asked to keep it
	id   any    // what makes two names one inode: comparable, equal for both
}

// Stamp is a modification time. Times that an operation set to "the present"
// can't be predicted, so a Stamp is either exact or Now.
type Stamp struct {
	Sec, Nsec int64
	Now       bool
}

func (s Stamp) String() string {
	if s.Now {
		return "now"
	}
	return fmt.Sprintf("%d.%09d", s.Sec, s.Nsec)
}

// Kind is the letter of the type, as ls prints it.
func (o *Object) Kind() string { return typeLetter(o.Mode) }

func typeLetter(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "d"
	case unix.S_IFREG:
		return "-"
	case unix.S_IFLNK:
		return "l"
	case unix.S_IFIFO:
		return "p"
	case unix.S_IFSOCK:
		return "s"
	case unix.S_IFCHR:
		return "c"
	case unix.S_IFBLK:
		return "b"
	}
	return "?"
}

func isDir(mode uint32) bool { return mode&unix.S_IFMT == unix.S_IFDIR }
func isReg(mode uint32) bool { return mode&unix.S_IFMT == unix.S_IFREG }

// line is the canonical text of one object: the path, then a fixed order of
// fields, each with its name, so that a diff of two lines reads by itself.
func (o *Object) line(opt SnapshotOptions) string {
	f := []string{Escape(o.Path), o.Kind(), fmt.Sprintf("mode=%04o", o.Mode&0o7777)}
	add := func(format string, args ...any) { f = append(f, fmt.Sprintf(format, args...)) }
	if !opt.NoIDs {
		add("owner=%d:%d", o.UID, o.GID)
	}
	if !opt.NoMtime && !(opt.NoDirMtime && isDir(o.Mode)) {
		add("mtime=%s", o.Mtime)
	}
	o.addNlink(opt, add)
	switch o.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		add("size=%d", o.Size)
		add("sha256=%x", o.Sum[:8])
	case unix.S_IFLNK:
		add("target=%s", Escape(o.Target))
	case unix.S_IFCHR, unix.S_IFBLK:
		add("rdev=%d:%d", unix.Major(o.Rdev), unix.Minor(o.Rdev))
	}
	if o.Group != "" && !opt.NoLinks {
		add("same=%s", Escape(o.Group))
	}
	if !opt.NoXattrs {
		f = append(f, xattrFields(o.Xattrs)...)
	}
	return strings.Join(f, " ")
}

// addNlink adds the link count. Directories are left out unless asked for:
// file systems may say 1 for "not counted".
func (o *Object) addNlink(opt SnapshotOptions, add func(string, ...any)) {
	if opt.NoNlink || (isDir(o.Mode) && !opt.DirNlink) {
		return
	}
	add("nlink=%d", o.Nlink)
}

func xattrFields(attrs map[string]string) []string {
	var out []string
	for name, value := range attrs {
		out = append(out, "xattr:"+Escape(name)+"="+Escape(value))
	}
	sort.Strings(out)
	return out
}

// groupLinks names each set of names of one inode after the first of them in
// order, whatever order the directories were listed in.
func groupLinks(objects []*Object) {
	sets := map[any][]*Object{}
	for _, o := range objects {
		if !isDir(o.Mode) {
			sets[o.id] = append(sets[o.id], o)
		}
	}
	for _, set := range sets {
		if len(set) < 2 {
			continue
		}
		first := set[0].Path
		for _, o := range set {
			first = min(first, o.Path)
		}
		for _, o := range set {
			o.Group = first
		}
	}
}

// lines renders objects in the order of their paths.
func lines(objects []*Object, opt SnapshotOptions) []string {
	sort.Slice(objects, func(i, j int) bool { return objects[i].Path < objects[j].Path })
	out := make([]string, 0, len(objects))
	for _, o := range objects {
		out = append(out, o.line(opt))
	}
	return out
}
