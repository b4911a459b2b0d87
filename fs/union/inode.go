package union

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Attr is what stat shows of an inode, already in the mount's ids and inode
// numbers.
type Attr = unix.Statx_t

// Where an inode's metadata and data are. States only grow.
const (
	inLower uint32 = iota // all in a lower layer
	inMeta                // metadata in upper, data in a lower layer
	inUpper               // all in upper
)

// Inode is one object of the union. All methods of Union that answer one take
// a reference for the caller, who gives it back with Forget.
type Inode struct {
	ino   uint64
	typ   uint32 // S_IFMT bits; never change
	state atomic.Uint32

	refs atomic.Int64
	kids atomic.Int32 // inodes whose parent this is
	gone atomic.Bool  // detached: nobody can find it any more
	tag  atomic.Uint64

	// Guarded by Union.tree and mu together: readers hold both for reading,
	// writers hold mu and at least read tree.
	mu      sync.RWMutex
	parent  *Inode // nil for the root and for an inode without a name
	name    string
	lower   *lowerRef // the lower object it is or was copied up from
	data    *lowerRef // where data is read while state is below inUpper
	linked  bool      // the file had several names when it came to life
	indexed bool      // work's index holds a name of it
	lacks   absence   // absent.go
	rare    *rare

	copyMu sync.Mutex
	file   slot
	// unsynced says that the directory entries that lead to the inode may
	// not be on disk yet.
	unsynced atomic.Bool

	mtimeKept atomic.Bool
	// mtime is the file's while mtimeKept is set (mtime.go).
	mtime unix.StatxTimestamp

	dir *dir // of directories
}

// rare is what few inodes have: there may be a million of them in memory. It is
// guarded as the rest of the inode.
type rare struct {
	others []link // further names known
	// lowerNames counts the lower names that lead to an indexed inode.
	lowerNames int
	orphan     string // its name in work after its last known name went
	// ghost is what stat says of a lower file without a name that was
	// changed since (ghost.go).
	ghost *Attr
}

var none rare

// seldom answers what is rare for reading.
func (n *Inode) seldom() *rare {
	if n.rare == nil {
		return &none
	}
	return n.rare
}

// own answers what is rare for writing.
func (n *Inode) own() *rare {
	if n.rare == nil {
		n.rare = new(rare)
	}
	return n.rare
}

// link is one name of an inode that isn't a directory.
type link struct {
	parent *Inode
	name   string
}

// lowerRef is the place of a non-directory in a lower layer.
type lowerRef struct {
	dir  *dirRef
	name string
}

// dir is what a directory inode has beyond others.
type dir struct {
	id uint64 // orders the locks of directories that are no kin
	mu sync.RWMutex
	// upper is the directory in upper, or nil. Set once by copy-up, under mu
	// and Inode.mu.
	upper *dirRef
	// lowers are the directories it merges, highest first, top the first of
	// them. Loading the table may cut lowers at an opaque marker.
	lowers []*dirRef
	top    *dirRef
	// lpath is its path as the lower layers know it.
	lpath  *lowerPath
	table  *table
	stamps []stamp // in live mode, of when the table was built
	// removed says that the directory has no name any more; last is what
	// stat said then.
	removed bool
	last    Attr
	// inherit is what new entries take from the directory, once known.
	inherit *inheritance
}

// setLowerNames takes what marks or records say, in which -1 is nothing.
func (n *Inode) setLowerNames(k int) {
	if k > 0 || n.rare != nil {
		n.own().lowerNames = max(k, 0)
	}
}

// Ino is the inode number that stat and listings show.
func (n *Inode) Ino() uint64 { return n.ino }

// Type is the S_IFMT part of the mode.
func (n *Inode) Type() uint32 { return n.typ }

// Tag is a word the caller may keep with the inode; 0 at first.
func (n *Inode) Tag() *atomic.Uint64 { return &n.tag }

// Ref takes one more reference of an inode the caller already holds.
func (n *Inode) Ref() { n.refs.Add(1) }

func (n *Inode) isDir() bool     { return n.typ == unix.S_IFDIR }
func (n *Inode) isRegular() bool { return n.typ == unix.S_IFREG }

func (n *Inode) addLink(parent *Inode, name string) {
	if n.parent == nil {
		n.parent, n.name = parent, name
	} else {
		r := n.own()
		r.others = append(r.others, link{parent, name})
	}
	parent.kids.Add(1)
}

// dropLink forgets the name and tells whether it was known.
func (n *Inode) dropLink(parent *Inode, name string) bool {
	if n.parent == parent && n.name == name {
		n.parent, n.name = nil, ""
		if k := len(n.seldom().others); k > 0 {
			n.parent, n.name = n.rare.others[k-1].parent, n.rare.others[k-1].name
			n.rare.others = n.rare.others[:k-1]
		}
		parent.kids.Add(-1)
		return true
	}
	for i, l := range n.seldom().others {
		if l.parent == parent && l.name == name {
			n.rare.others = append(n.rare.others[:i], n.rare.others[i+1:]...)
			parent.kids.Add(-1)
			return true
		}
	}
	return false
}
