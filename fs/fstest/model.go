package fstest

import (
	"fmt"
	"maps"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Model is a POSIX file system in memory, with the results that ext4 gives to
// root. It is plain on purpose: one tree of inodes, no layers, no caching.
// What it says is checked against a real directory by this package's tests.
type Model struct {
	root  *inode
	slots map[int]*handle

	// Umask counts for creations, as the process' does on the other side.
	Umask uint32
	// UID and GID own what is created.
	UID, GID uint32
}

// inode is a file of any type. Directories hold their entries and know their
// parent, for renames into an own subtree.
type inode struct {
	mode     uint32
	uid, gid uint32
	rdev     uint64
	nlink    uint32
	mtime    Stamp
	data     []byte
	target   string
	xattrs   map[string]string
	entries  map[string]*inode
	parent   *inode
}

// handle is an open descriptor.
type handle struct {
	file  *inode
	flags int
}

// NewModel takes over the tree that stands at root, as the process sees it.
// Names of one inode become one inode; link counts are taken as they are
// (a union may count names that a layer hides) and followed from there.
func NewModel(root string, umask uint32) (*Model, error) {
	objects, err := scan(root, SnapshotOptions{}, true)
	if err != nil {
		return nil, err
	}
	m := &Model{
		slots: map[int]*handle{}, Umask: umask,
		UID: uint32(unix.Geteuid()), GID: uint32(unix.Getegid()),
	}
	known := map[any]*inode{}
	for _, o := range objects { // a directory stands before its children
		if err := m.adopt(o, known); err != nil {
			return nil, err
		}
	}
	countDirs(m.root)
	return m, nil
}

func (m *Model) adopt(o *Object, known map[any]*inode) error {
	n := known[o.id]
	if n == nil || isDir(o.Mode) {
		n = inodeOf(o)
		known[o.id] = n
	}
	if o.Path == "." {
		m.root = n
		n.parent = n
		return nil
	}
	dir, errno := m.walk(path.Dir(o.Path), false)
	if errno != 0 {
		return fmt.Errorf("adopt %s: %w", o.Path, errno)
	}
	dir.node.entries[path.Base(o.Path)] = n
	if isDir(n.mode) {
		n.parent = dir.node
	}
	return nil
}

func inodeOf(o *Object) *inode {
	n := &inode{
		mode: o.Mode, uid: o.UID, gid: o.GID, rdev: o.Rdev, nlink: o.Nlink,
		mtime: o.Mtime, data: o.data, target: o.Target, xattrs: maps.Clone(o.Xattrs),
	}
	if n.xattrs == nil {
		n.xattrs = map[string]string{}
	}
	if isDir(n.mode) {
		n.entries = map[string]*inode{}
	}
	return n
}

// countDirs gives directories 2 plus their subdirectories, also where the file
// system that they were taken from doesn't count.
func countDirs(dir *inode) {
	dir.nlink = 2
	for _, child := range dir.entries {
		if isDir(child.mode) {
			dir.nlink++
			countDirs(child)
		}
	}
}

// Snapshot is the model's tree as Snapshot prints a real one.
func (m *Model) Snapshot(o SnapshotOptions) []string {
	objects := m.root.objects(".", nil)
	groupLinks(objects)
	return lines(objects, o)
}

func (n *inode) objects(at string, out []*Object) []*Object {
	o := &Object{
		Path: at, Mode: n.mode, UID: n.uid, GID: n.gid, Rdev: n.rdev, Nlink: n.nlink,
		Mtime: n.mtime, Target: n.target, Xattrs: n.xattrs, id: n,
	}
	switch {
	case isReg(n.mode):
		o.Size, o.Sum = int64(len(n.data)), sumOf(n.data)
	case isDir(n.mode):
		for name, child := range n.entries {
			out = child.objects(path.Join(at, name), out)
		}
	default:
		o.Size = int64(len(n.target))
	}
	return append(out, o)
}

// Paths lists all names, to steer a generator to them.
func (m *Model) Paths() []string {
	var out []string
	for _, o := range m.root.objects(".", nil) {
		if o.Path != "." {
			out = append(out, o.Path)
		}
	}
	return out
}

func split(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}
