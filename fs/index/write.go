package index

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// ErrNotPlain says that a tree holds marks which an index can't express:
// redirects or metacopies, which no layer of a store has.
var ErrNotPlain = errors.New("the tree holds redirects or metacopies")

// Write walks the tree whose root is dirfd and writes its index.
func Write(w io.Writer, dirfd int) error {
	var root unix.Statx_t
	if err := hostfs.Statx(dirfd, "", &root); err != nil {
		return err
	}
	b := &builder{texts: map[string]uint32{}}
	if err := b.walk(dirfd); err != nil {
		return err
	}
	return b.write(w, stampOf(&root))
}

// builder collects the parts of an index.
type builder struct {
	dirs, entries, text []byte
	// texts are pieces that many entries share: sets of attributes.
	texts map[string]uint32
}

// waiting is a directory whose entries aren't collected yet.
type waiting struct {
	number Dir
	path   []string
}

// walk collects the directories breadth first, which keeps no more than one
// open at a time.
func (b *builder) walk(dirfd int) error {
	b.dirs = make([]byte, dirSize)
	queue := []waiting{{}}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		below, err := b.addDir(dirfd, d)
		if err != nil {
			return fmt.Errorf("index of %q: %w", d.path, err)
		}
		queue = append(queue, below...)
	}
	return nil
}

func (b *builder) addDir(root int, d waiting) (below []waiting, err error) {
	fd, err := openPath(root, d.path)
	if err != nil {
		return nil, err
	}
	defer hostfs.Close(fd)
	marks, err := whiteout.ReadDirMarks(fd, "")
	if err != nil {
		return nil, err
	}
	if marks.HasRedirect {
		return nil, ErrNotPlain
	}
	found, err := b.list(fd, marks)
	if err != nil {
		return nil, err
	}
	b.describeDir(d.number, marks, len(found))
	for _, f := range found {
		if f.st.Mode&unix.S_IFMT == unix.S_IFDIR {
			number, err := b.newDir()
			if err != nil {
				return nil, err
			}
			f.dir = number
			below = append(below, waiting{number, append(d.path[:len(d.path):len(d.path)], f.name)})
		}
		if err := b.addEntry(fd, f); err != nil {
			return nil, fmt.Errorf("%q: %w", f.name, err)
		}
	}
	return below, nil
}

// openPath opens a directory of the tree, following nothing.
func openPath(root int, path []string) (int, error) {
	if len(path) == 0 {
		return hostfs.OpenDir(root, ".")
	}
	joined := path[0]
	for _, name := range path[1:] {
		joined += "/" + name
	}
	return hostfs.OpenDir(root, joined)
}

func (b *builder) newDir() (Dir, error) {
	if len(b.dirs)/dirSize > math.MaxUint32/2 {
		return 0, errors.New("too many directories")
	}
	b.dirs = append(b.dirs, make([]byte, dirSize)...)
	return Dir(len(b.dirs)/dirSize - 1), nil
}

func (b *builder) describeDir(d Dir, marks whiteout.DirMarks, count int) {
	row := b.dirs[int(d)*dirSize:]
	order.PutUint32(row[atFirst:], uint32(len(b.entries)/entrySize))
	order.PutUint32(row[atCount:], uint32(count))
	flags := uint32(0)
	if marks.Opaque {
		flags |= flagOpaque
	}
	if marks.XWhiteouts {
		flags |= flagXWhiteouts
	}
	order.PutUint32(row[atDirFlags:], flags)
}

// found is an entry on its way into the index.
type found struct {
	name  string
	class whiteout.Class
	of    int // how many bytes of the name come before what it hides
	dir   Dir
	st    unix.Statx_t
}

// list reads a directory, sorted by name.
func (b *builder) list(fd int, marks whiteout.DirMarks) ([]*found, error) {
	var out []*found
	err := hostfs.ListDir(fd, "", func(name []byte, _ uint64, dtype uint8) error {
		class, of, err := whiteout.Classify(fd, marks, name, dtype)
		if err != nil {
			return err
		}
		f := &found{name: string(name), class: class}
		if class == whiteout.WhiteoutOf {
			f.of = len(name) - len(of)
		}
		out = append(out, f)
		return hostfs.Statx(fd, f.name, &f.st)
	})
	slices.SortFunc(out, func(a, b *found) int { return cmp.Compare(a.name, b.name) })
	return out, err
}

func (b *builder) addEntry(fd int, f *found) error {
	row := make([]byte, entrySize)
	putStat(row, &f.st)
	name, err := b.put([]byte(f.name))
	if err != nil {
		return err
	}
	order.PutUint32(row[atName:], name)
	order.PutUint16(row[atNameLen:], uint16(len(f.name)))
	order.PutUint32(row[atDir:], uint32(f.dir))
	row[atClass], row[atOf] = byte(f.class), byte(f.of)
	if f.st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if err := b.addTarget(row, fd, f.name); err != nil {
			return err
		}
	}
	if err := b.addXattrs(row, fd, f.name); err != nil {
		return err
	}
	if len(b.entries)/entrySize >= math.MaxUint32 {
		return errors.New("too many entries")
	}
	b.entries = append(b.entries, row...)
	return nil
}

func putStat(row []byte, st *unix.Statx_t) {
	order.PutUint64(row[atIno:], st.Ino)
	order.PutUint64(row[atSize:], st.Size)
	order.PutUint64(row[atBlocks:], st.Blocks)
	for i, t := range [...]unix.StatxTimestamp{st.Atime, st.Mtime, st.Ctime, st.Btime} {
		order.PutUint64(row[atSeconds+8*i:], uint64(t.Sec))
		order.PutUint32(row[atNanos+4*i:], t.Nsec)
	}
	order.PutUint32(row[atNlink:], st.Nlink)
	order.PutUint32(row[atUID:], st.Uid)
	order.PutUint32(row[atGID:], st.Gid)
	order.PutUint32(row[atMajor:], st.Rdev_major)
	order.PutUint32(row[atMinor:], st.Rdev_minor)
	order.PutUint16(row[atMode:], st.Mode)
	order.PutUint32(row[atBits:], st.Mask)
}

func (b *builder) addTarget(row []byte, fd int, name string) error {
	target, err := hostfs.Readlink(fd, name)
	if err != nil {
		return err
	}
	at, err := b.put([]byte(target))
	order.PutUint32(row[atTarget:], at)
	order.PutUint16(row[atTargetLen:], uint16(len(target)))
	return err
}

// addXattrs keeps an entry's attributes, once for all entries that have the
// same.
func (b *builder) addXattrs(row []byte, fd int, name string) error {
	set, err := b.readXattrs(fd, name)
	if err != nil || len(set) == 0 {
		return err
	}
	at, ok := b.texts[string(set)]
	if !ok {
		if at, err = b.put(set); err != nil {
			return err
		}
		b.texts[string(set)] = at
	}
	order.PutUint32(row[atXattrs:], at)
	order.PutUint32(row[atXattrLen:], uint32(len(set)))
	return nil
}

func (b *builder) readXattrs(fd int, name string) ([]byte, error) {
	var few [256]byte
	n, err := hostfs.Listxattr(fd, name, few[:])
	if err == unix.EOPNOTSUPP || err == nil && n == 0 {
		return nil, nil // nearly all files
	}
	names, err := hostfs.ListxattrAll(fd, name)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var set []byte
	for _, attr := range names {
		if isMark(attr) {
			return nil, ErrNotPlain
		}
		value, err := hostfs.GetxattrAll(fd, name, attr)
		if err == unix.ENODATA {
			continue
		}
		if err != nil {
			return nil, err
		}
		set = order.AppendUint16(set, uint16(len(attr)))
		set = order.AppendUint32(set, uint32(len(value)))
		set = append(append(set, attr...), value...)
	}
	return set, nil
}

func isMark(attr string) bool {
	for _, ns := range [...]whiteout.Namespace{whiteout.User, whiteout.Trusted} {
		if attr == ns.Name(whiteout.Redirect) || attr == ns.Name(whiteout.Metacopy) {
			return true
		}
	}
	return false
}

// put appends to the text.
func (b *builder) put(piece []byte) (uint32, error) {
	at := len(b.text)
	if at+len(piece) > math.MaxUint32 {
		return 0, errors.New("too many names")
	}
	b.text = append(b.text, piece...)
	return uint32(at), nil
}

func (b *builder) write(w io.Writer, root stamp) error {
	header := make([]byte, headerSize)
	copy(header, magic)
	root.put(header)
	order.PutUint32(header[atDirs:], uint32(len(b.dirs)/dirSize))
	order.PutUint32(header[atEntries:], uint32(len(b.entries)/entrySize))
	order.PutUint64(header[atTextLen:], uint64(len(b.text)))
	sum := crc32.Checksum(b.dirs, castagnoli)
	sum = crc32.Update(sum, castagnoli, b.entries)
	sum = crc32.Update(sum, castagnoli, b.text)
	order.PutUint32(header[atSum:], sum)
	out := bufio.NewWriter(w)
	for _, part := range [][]byte{header, b.dirs, b.entries, b.text} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	return out.Flush()
}
