package union

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/fs/index"
	"unionfs/whiteout"
)

// A layer of a store comes with an index, which stands beside its tree. What
// the index knows costs no system call and no descriptor.

// openIndex maps the layer's index when there is one that can be believed. A
// union that looks for changes below itself uses none.
func (u *Union) openIndex(l *layer) {
	if u.cfg.Live {
		return
	}
	fd, err := openBeside(l, "index")
	if err != nil {
		return
	}
	defer hostfs.Close(fd)
	if !trusted(fd) {
		return
	}
	x, err := index.Open(fd, l.fd)
	if errors.Is(err, index.ErrForeign) {
		u.warn(fmt.Sprintf("lowerdir=%s: its index is of another tree and isn't used", l.path))
	}
	if err == nil {
		l.known, l.root.row = x, 1
	}
}

// openBeside opens a file that stands beside the layer's tree. What is inside
// the tree is the image's, and nobody to believe: the root of a file system is
// its own parent.
func openBeside(l *layer, name string) (int, error) {
	parent, err := unix.Open(l.path+"/..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer hostfs.Close(parent)
	var above, root unix.Statx_t
	if err := hostfs.Statx(parent, "", &above); err != nil {
		return -1, err
	}
	if err := hostfs.Statx(l.fd, "", &root); err != nil {
		return -1, err
	}
	if above.Ino == root.Ino && devOf(&above) == devOf(&root) {
		return -1, unix.ENOENT
	}
	return hostfs.Open(parent, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
}

// trusted tells whether the file was written by who we are and by nobody else:
// an index says who owns what in the mount.
func trusted(fd int) bool {
	var st unix.Statx_t
	return hostfs.Statx(fd, "", &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG &&
		st.Uid == uint32(unix.Geteuid()) && st.Mode&0o022 == 0
}

// indexed answers the index that knows the directory, and its number there.
func (r *dirRef) indexed() (*index.Index, index.Dir, bool) {
	if r == nil || r.row == 0 {
		return nil, 0, false
	}
	return r.layer.known, r.row - 1, true
}

// find looks for a name in a directory that the index knows.
func (r *dirRef) find(name string) (e index.Entry, found, indexed bool) {
	x, d, ok := r.indexed()
	if !ok {
		return e, false, false
	}
	e, found = x.Find(d, name)
	return e, found, true
}

// lowerChild makes the place of a directory that the table knows to be there,
// with what it says of itself.
func (u *Union) lowerChild(parent *dirRef, name string) (*dirRef, whiteout.DirMarks, error) {
	ref := &dirRef{layer: parent.layer, parent: parent, name: name}
	if e, found, indexed := parent.find(name); indexed {
		d, isDir := e.Dir()
		if !found || !isDir {
			return nil, whiteout.DirMarks{}, unix.ENOENT
		}
		ref.row = d + 1
		marks := parent.layer.known.Marks(d)
		ref.xwhiteouts = marks.XWhiteouts
		return ref, marks, nil
	}
	h, err := u.openDir(parent)
	if err != nil {
		return nil, whiteout.DirMarks{}, err
	}
	defer h.release()
	marks, err := whiteout.ReadDirMarks(h.fd, name)
	ref.xwhiteouts = marks.XWhiteouts
	return ref, marks, err
}

// stepIndexed is stepInto for a directory that the index knows.
func stepIndexed(parent *dirRef, x *index.Index, d index.Dir, name string) step {
	has := func(d index.Dir, name string) bool {
		_, found := x.Find(d, name)
		return found
	}
	e, found := x.Find(d, name)
	if !found {
		return step{stop: has(d, whiteout.AufsPrefix+name) || has(d, whiteout.AufsOpaque)}
	}
	child, isDir := e.Dir()
	if !isDir {
		return step{stop: true}
	}
	marks := x.Marks(child)
	ref := &dirRef{layer: parent.layer, parent: parent, name: name, xwhiteouts: marks.XWhiteouts, row: child + 1}
	return step{ref: ref, stop: marks.Opaque || has(d, whiteout.AufsPrefix+name) || has(child, whiteout.AufsOpaque)}
}

// addIndexed is addLayer for a directory that the index knows.
func (b *builder) addIndexed(top int16, ref *dirRef, x *index.Index, d index.Dir) {
	b.hidden = b.hidden[:0]
	_ = x.List(d, func(e index.Entry) error {
		switch class, of := e.Class(); class {
		case whiteout.Plain:
			b.addName(top, ref, e.Name(), e.Ino(), e.Type())
		case whiteout.WhiteoutOf:
			b.hidden = append(b.hidden, mark{string(of), string(e.Name())})
		case whiteout.OpaqueMarker:
			b.opaque = true
		}
		return nil // List answers what this does
	})
	for _, m := range b.hidden {
		b.hide(top, m)
	}
}

// lookPlace is metaPlace for those who only look: of an object that an index
// knows it answers a place without a handle. The caller holds Union.tree and
// n.mu, and releases the place.
func (u *Union) lookPlace(n *Inode) (place, error) {
	if n.dir == nil && n.state.Load() == inLower {
		return u.lookLower(n.lower)
	}
	if d := n.dir; d != nil && !d.removed && d.upper == nil && d.top != nil && d.top.parent != nil {
		return u.lookLower(&lowerRef{d.top.parent, d.top.name})
	}
	return u.metaPlace(n)
}

// lookLower is lowerPlace for those who only look.
func (u *Union) lookLower(r *lowerRef) (place, error) {
	if e, found, indexed := r.dir.find(r.name); indexed {
		if !found {
			return place{}, unix.ENOENT
		}
		return place{entry: e, known: true, name: r.name}, nil
	}
	return u.lowerPlace(r)
}

// statKnown stats the object of an index in the mount's ids.
func (u *Union) statKnown(e index.Entry, attr *Attr) error {
	e.Stat(attr)
	if !u.ids.overrides {
		return u.ids.shown(attr, false)
	}
	o, ok := knownOverride(e, attr)
	if ok {
		applyOverride(attr, o)
	}
	return u.ids.shown(attr, ok)
}

// knownOverride is readOverride for an object of an index.
func knownOverride(e index.Entry, st *Attr) (whiteout.Override, bool) {
	if t := st.Mode & unix.S_IFMT; t != unix.S_IFREG && t != unix.S_IFDIR {
		return whiteout.Override{}, false
	}
	for _, attr := range whiteout.OverrideXattrs {
		value, ok := e.Xattr(attr)
		if !ok {
			continue
		}
		if o, err := whiteout.ParseOverride(value); err == nil {
			return o, true
		}
	}
	return whiteout.Override{}, false
}

// getKnown is getxattr(2) for an object of an index.
func (u *Union) getKnown(e index.Entry, name, disk string, buf []byte) (int, error) {
	value, ok := e.Xattr(disk)
	if !ok && u.ids.isolates(name) {
		value, ok = e.Xattr(whiteout.Escape(name))
	}
	switch {
	case !ok:
		return 0, unix.ENODATA
	case len(buf) > 0 && len(value) > len(buf):
		return 0, unix.ERANGE
	}
	copy(buf, value)
	return len(value), nil
}

// listKnown answers the names of a known object's attributes.
func listKnown(e index.Entry) (names []string) {
	e.Xattrs(func(name, _ []byte) bool {
		names = append(names, string(name))
		return true
	})
	return names
}
