package layertar

import (
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// A stack answers what a union of these directories shows. It follows the rules
// of fs/union (load.go, resolve.go, metacopy.go), which are those of
// fs/overlayfs/namei.c and readdir.c, on paths instead of tables: it reads once
// what changed, and keeps nothing.
type stack struct {
	upper  *layer // nil when the view is that of the lowers
	lowers []*layer
	dirs   *openDirs
	ids    IDs
	// rootOf tells what the root is like; nil is the highest layer.
	rootOf *layer
}

// layer is one directory of the stack.
type layer struct {
	index int // of a lower; -1 for the upper one
	fd    int
	fsid  uint64
	marks whiteout.Dialect
}

// place is an object in a layer: name in the directory dir, both "" for the
// layer's root.
type place struct {
	layer *layer
	dir   string
	name  string
}

// dirRef is a directory of one layer.
type dirRef struct {
	layer *layer
	path  string
}

func (r dirRef) child(name string) dirRef { return dirRef{r.layer, joinPath(r.path, name)} }
func (r dirRef) at(name string) place     { return place{r.layer, r.path, name} }

func (r dirRef) place() place {
	dir, name := splitPath(r.path)
	return place{r.layer, dir, name}
}

// mergedDir is a directory of the union: the directories of the layers that it
// merges, the highest first, and the path by which the layers below the upper
// one know it.
type mergedDir struct {
	refs  []dirRef
	lpath string
}

// found is a name of the union.
type found struct {
	name string
	mode uint32   // S_IFMT bits on the host
	refs []dirRef // the directories that hold it: the first shows, the rest merge
}

func (f found) isDir() bool  { return f.mode == unix.S_IFDIR }
func (f found) place() place { return f.refs[0].at(f.name) }

func newStack(src Source) *stack {
	s := &stack{dirs: newOpenDirs(), ids: src.IDs}
	if src.Upper >= 0 {
		s.upper = newLayer(-1, src.Upper)
		s.upper.marks = src.Marks
	}
	for i, fd := range src.Lowers {
		s.lowers = append(s.lowers, newLayer(i, fd))
	}
	if src.Root > 0 {
		s.rootOf = s.lowers[src.Root-1]
	}
	return s
}

// newLayer notes the file system's identity as fs/union does (inoMap.addFD).
func newLayer(index, fd int) *layer {
	l := &layer{index: index, fd: fd}
	var sfs unix.Statfs_t
	if hostfs.Statfs(fd, &sfs) == nil && (sfs.Fsid.Val[0] != 0 || sfs.Fsid.Val[1] != 0) {
		l.fsid = uint64(uint32(sfs.Fsid.Val[0])) | uint64(uint32(sfs.Fsid.Val[1]))<<32
		return l
	}
	var st unix.Statx_t
	if hostfs.Statx(fd, "", &st) == nil {
		l.fsid = unix.Mkdev(st.Dev_major, st.Dev_minor)
	}
	return l
}

// below is the view without the upper layer.
func (s *stack) below() *stack {
	return &stack{lowers: s.lowers, dirs: s.dirs, ids: s.ids}
}

// root merges the roots of all layers down to an opaque one.
func (s *stack) root() (*mergedDir, error) {
	d := &mergedDir{}
	layers := s.lowers
	if s.upper != nil {
		layers = append([]*layer{s.upper}, layers...)
	}
	for _, l := range layers {
		d.refs = append(d.refs, dirRef{layer: l})
		marks, err := l.marks.ReadDirMarks(l.fd, "")
		if err != nil {
			return nil, err
		}
		if marks.Opaque {
			break
		}
	}
	return d, nil
}

// peeked is what one layer's directory says of a name.
type peeked struct {
	there bool
	mode  uint32
	stop  bool // the layers below don't count
}

// peek looks a name up in one layer.
func (s *stack) peek(ref dirRef, name string) (p peeked, err error) {
	fd, err := s.dirs.open(ref)
	if err != nil {
		return p, err
	}
	marks, err := ref.layer.marks.ReadDirMarks(fd, "")
	if err != nil {
		return p, err
	}
	var st unix.Statx_t
	err = hostfs.Statx(fd, name, &st)
	if err != nil && err != unix.ENOENT {
		return p, err
	}
	p.there = err == nil
	if p.there {
		class, _, err := whiteout.Classify(fd, marks, []byte(name), unix.DT_UNKNOWN)
		if err != nil {
			return p, err
		}
		if class != whiteout.Plain {
			return peeked{stop: class == whiteout.WhiteoutOf}, nil
		}
		p.mode = uint32(st.Mode) & unix.S_IFMT
		p.stop = p.mode != unix.S_IFDIR
	}
	p.stop = p.stop || isMark(fd, marks, whiteout.AufsPrefix+name) || isMark(fd, marks, whiteout.AufsOpaque)
	return p, nil
}

// isMark tells whether a mark of the aufs form is there.
func isMark(fd int, marks whiteout.DirMarks, name string) bool {
	if len(name) > nameMax {
		return false
	}
	class, _, err := whiteout.Classify(fd, marks, []byte(name), unix.DT_REG)
	return err == nil && class != whiteout.Plain
}

// find looks one name up; nil when the union doesn't show it.
func (s *stack) find(d *mergedDir, name string) (*found, error) {
	var f *found
	for _, ref := range d.refs {
		p, err := s.peek(ref, name)
		if err != nil {
			return nil, err
		}
		if p.there && f == nil {
			f = &found{name: name, mode: p.mode}
		}
		if p.there && p.mode == f.mode {
			f.refs = append(f.refs, ref)
		}
		if p.stop {
			break
		}
	}
	return f, nil
}

// lookup finds a path from the root on; nil when the union doesn't show it.
func (s *stack) lookup(path string) (*found, error) {
	d, err := s.root()
	for err == nil {
		var name string
		var more bool
		name, path, more = strings.Cut(path, "/")
		f, ferr := s.find(d, name)
		if ferr != nil || f == nil || !more {
			return f, ferr
		}
		if !f.isDir() {
			return nil, nil
		}
		d, err = s.enter(d, f)
	}
	return nil, err
}

// enter finds what a directory of the union merges.
func (s *stack) enter(d *mergedDir, f *found) (*mergedDir, error) {
	child := &mergedDir{lpath: joinPath(d.lpath, f.name)}
	for _, parent := range f.refs {
		marks, err := s.marksOf(parent, f.name)
		if err != nil {
			return nil, err
		}
		child.refs = append(child.refs, parent.child(f.name))
		if marks.Opaque {
			return child, nil
		}
		if !marks.HasRedirect {
			continue
		}
		rest, err := s.redirected(child, parent, f.name, d.lpath, marks.Redirect)
		child.refs = append(child.refs, rest...)
		return child, err
	}
	return child, nil
}
