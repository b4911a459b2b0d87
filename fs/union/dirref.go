package union

import (
	"strings"

	"unionfs/fs/hostfs"
	"unionfs/fs/index"
)

// layer is one directory of the stack.
type layer struct {
	// index is the place in the stack: -1 for upper, 0 for the highest lower.
	index int
	path  string
	root  *dirRef
	// fd is the layer's own O_PATH descriptor, open for the union's life.
	fd int
	// dev is the device of the layer's root, and fs its file system's place
	// in the inode numbering.
	dev uint64
	fs  uint16
	// known is the layer's index, or nil.
	known *index.Index
}

// dirRef is the place of a directory in one layer. A lower directory's place
// never changes; an upper one's changes under Union.tree's write lock.
type dirRef struct {
	layer  *layer
	parent *dirRef // nil for the layer's root
	name   string
	// xwhiteouts says that whiteouts in it may have the xattr form.
	xwhiteouts bool
	// row is its number in the layer's index and one, or 0.
	row  index.Dir
	slot slot
}

// openDir answers an O_PATH handle for r. The caller holds Union.tree and
// releases the handle.
func (u *Union) openDir(r *dirRef) (*handle, error) {
	if h := cached(&r.slot); h != nil {
		return h, nil
	}
	if r.parent == nil {
		fd, err := u.spare(func() (int, error) { return hostfs.OpenDir(r.layer.fd, ".") })
		if err != nil {
			return nil, err
		}
		return u.dirs.put(&r.slot, fd, false), nil
	}
	return u.openDirFromAncestor(r)
}

// openDirFromAncestor opens r below its nearest ancestor that is open, in one
// walk, so that a deep cold path costs one call and not one each level.
func (u *Union) openDirFromAncestor(r *dirRef) (*handle, error) {
	var names []string
	a := r
	var base *handle
	for a.parent != nil {
		if base = cached(&a.slot); base != nil {
			break
		}
		names = append(names, a.name)
		a = a.parent
	}
	fd := a.layer.fd
	if base != nil {
		defer base.release()
		fd = base.fd
	}
	path := joinReversed(names)
	got, err := u.spare(func() (int, error) { return hostfs.OpenDir(fd, path) })
	if err != nil {
		return nil, err
	}
	return u.dirs.put(&r.slot, got, false), nil
}

func joinReversed(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteString(names[i])
		if i > 0 {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// lowerPath is a directory's path as the lower layers know it: what a
// redirect to it must say. Paths are shared lists, child to parent; nil is
// the layer's root.
type lowerPath struct {
	parent *lowerPath
	name   string
}

func (p *lowerPath) child(name string) *lowerPath { return &lowerPath{p, name} }

// String answers the absolute form, "/a/b".
func (p *lowerPath) String() string {
	if p == nil {
		return "/"
	}
	var names []string
	for ; p != nil; p = p.parent {
		names = append(names, p.name)
	}
	return "/" + joinReversed(names)
}

// parseLowerPath reads an absolute redirect; ok is false for one that could
// lead out of the layer.
func parseLowerPath(s string) (path *lowerPath, ok bool) {
	if !strings.HasPrefix(s, "/") {
		return nil, false
	}
	for name := range strings.SplitSeq(s[1:], "/") {
		if name == "" || name == "." || name == ".." {
			return nil, false
		}
		path = path.child(name)
	}
	return path, path != nil
}

// names answers the components, the outermost first.
func (p *lowerPath) names() []string {
	var names []string
	for ; p != nil; p = p.parent {
		names = append(names, p.name)
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return names
}
