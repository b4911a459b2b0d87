package index

import (
	"sort"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// Dir is a directory's number; 0 is the root.
type Dir uint32

// Entry is one name of a directory. The bytes that it answers are valid until
// the index is closed, and must not be changed.
type Entry struct {
	x *Index
	e []byte
}

// Marks answers what a directory says of itself.
func (x *Index) Marks(d Dir) whiteout.DirMarks {
	b := x.dir(d)
	if b == nil {
		return whiteout.DirMarks{}
	}
	flags := order.Uint32(b[atDirFlags:])
	return whiteout.DirMarks{Opaque: flags&flagOpaque != 0, XWhiteouts: flags&flagXWhiteouts != 0}
}

func (x *Index) dir(d Dir) []byte {
	at := uint64(d) * dirSize
	if at+dirSize > uint64(len(x.dirs)) {
		return nil
	}
	return x.dirs[at : at+dirSize]
}

// rows are the entries of a directory.
func (x *Index) rows(d Dir) []byte {
	b := x.dir(d)
	if b == nil {
		return nil
	}
	first := uint64(order.Uint32(b[atFirst:])) * entrySize
	size := uint64(order.Uint32(b[atCount:])) * entrySize
	if first+size > uint64(len(x.entries)) {
		return nil
	}
	return x.entries[first : first+size]
}

// List calls each with the entries of a directory, sorted by name, until it
// answers an error.
func (x *Index) List(d Dir, each func(Entry) error) error {
	for rows := x.rows(d); len(rows) > 0; rows = rows[entrySize:] {
		if err := each(Entry{x, rows[:entrySize]}); err != nil {
			return err
		}
	}
	return nil
}

// Find looks for a name. It allocates nothing.
func (x *Index) Find(d Dir, name string) (Entry, bool) {
	rows := x.rows(d)
	n := len(rows) / entrySize
	at := func(i int) Entry { return Entry{x, rows[i*entrySize : (i+1)*entrySize]} }
	i := sort.Search(n, func(i int) bool { return strings.Compare(view(at(i).Name()), name) >= 0 })
	if i == n || string(at(i).Name()) != name {
		return Entry{}, false
	}
	return at(i), true
}

// slice answers a piece of the text, or nothing when it isn't inside.
func (x *Index) slice(at, size uint32) []byte {
	if uint64(at)+uint64(size) > uint64(len(x.text)) {
		return nil
	}
	return x.text[at : at+size : at+size]
}

func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (e Entry) u16(at int) uint16 { return order.Uint16(e.e[at:]) }
func (e Entry) u32(at int) uint32 { return order.Uint32(e.e[at:]) }
func (e Entry) u64(at int) uint64 { return order.Uint64(e.e[at:]) }

// Name is the name on disk.
func (e Entry) Name() []byte { return e.x.slice(e.u32(atName), uint32(e.u16(atNameLen))) }

// Ino is the inode number on the layer's file system.
func (e Entry) Ino() uint64 { return e.u64(atIno) }

// Type is the type in a listing, a DT_ constant.
func (e Entry) Type() uint8 { return uint8(e.u16(atMode) & unix.S_IFMT >> 12) }

// Class tells a mark from a file; of a whiteout, of is what it hides.
func (e Entry) Class() (class whiteout.Class, of []byte) {
	class = whiteout.Class(e.e[atClass])
	if class == whiteout.WhiteoutOf {
		name := e.Name()
		of = name[min(int(e.e[atOf]), len(name)):]
	}
	return class, of
}

// Dir is the number of an entry that is a directory.
func (e Entry) Dir() (Dir, bool) {
	d := e.u32(atDir)
	return Dir(d), d != 0
}

// Target is where a symlink points.
func (e Entry) Target() []byte {
	return e.x.slice(e.u32(atTarget), uint32(e.u16(atTargetLen)))
}

// Stat fills st with what statx(2) said when the index was written; the device
// is the one the tree is on now.
func (e Entry) Stat(st *unix.Statx_t) {
	*st = unix.Statx_t{
		Mask: e.u32(atBits), Blksize: e.x.blksize, Dev_major: e.x.major, Dev_minor: e.x.minor,
		Nlink: e.u32(atNlink), Uid: e.u32(atUID), Gid: e.u32(atGID), Mode: e.u16(atMode),
		Ino: e.Ino(), Size: e.u64(atSize), Blocks: e.u64(atBlocks),
		Rdev_major: e.u32(atMajor), Rdev_minor: e.u32(atMinor),
	}
	for i, t := range [...]*unix.StatxTimestamp{&st.Atime, &st.Mtime, &st.Ctime, &st.Btime} {
		t.Sec, t.Nsec = int64(e.u64(atSeconds+8*i)), e.u32(atNanos+4*i)
	}
}

// Xattr answers the value of an attribute.
func (e Entry) Xattr(name string) (value []byte, ok bool) {
	e.Xattrs(func(n, v []byte) bool {
		if string(n) == name {
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}

// HasXattrs tells whether there are any.
func (e Entry) HasXattrs() bool { return e.u32(atXattrLen) != 0 }

// Xattrs calls each with names and values, sorted by name, until it answers
// false.
func (e Entry) Xattrs(each func(name, value []byte) bool) {
	b := e.x.slice(e.u32(atXattrs), e.u32(atXattrLen))
	for len(b) >= xattrHeader {
		n, v := int(order.Uint16(b)), uint64(order.Uint32(b[2:]))
		b = b[xattrHeader:]
		if uint64(n)+v > uint64(len(b)) {
			return
		}
		if !each(b[:n:n], b[n:uint64(n)+v:uint64(n)+v]) {
			return
		}
		b = b[uint64(n)+v:]
	}
}

// xattrHeader is what stands before an attribute in the text: u16 length of
// its name, u32 length of its value.
const xattrHeader = 6
