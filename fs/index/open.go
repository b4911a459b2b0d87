package index

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Index is an open index.
type Index struct {
	data    []byte // the mapping
	dirs    []byte
	entries []byte
	text    []byte

	// What all entries of a tree share.
	major, minor, blksize uint32
}

// ErrForeign says that an index is about another tree, or about an earlier
// state of this one.
var ErrForeign = errors.New("the index belongs to another tree")

// Open maps the index in the file fd and checks that it is about the tree
// whose root is dirfd. The caller keeps both descriptors.
func Open(fd, dirfd int) (*Index, error) {
	var root, file unix.Statx_t
	if err := hostfs.Statx(dirfd, "", &root); err != nil {
		return nil, err
	}
	if err := hostfs.Statx(fd, "", &file); err != nil {
		return nil, err
	}
	if file.Size < headerSize || file.Size > 1<<40 {
		return nil, fmt.Errorf("%d bytes are no index", file.Size)
	}
	data, err := unix.Mmap(fd, 0, int(file.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	x := &Index{data: data, major: root.Dev_major, minor: root.Dev_minor, blksize: root.Blksize}
	if err := x.divide(stampOf(&root)); err != nil {
		x.Close()
		return nil, err
	}
	return x, nil
}

// divide cuts the mapping into its parts.
func (x *Index) divide(want stamp) error {
	if !bytes.HasPrefix(x.data, []byte(magic)) {
		return errors.New("it is no index of this version")
	}
	if readStamp(x.data) != want {
		return ErrForeign
	}
	dirs := uint64(order.Uint32(x.data[atDirs:])) * dirSize
	entries := uint64(order.Uint32(x.data[atEntries:])) * entrySize
	text := order.Uint64(x.data[atTextLen:])
	body := x.data[headerSize:]
	if dirs == 0 || text > uint64(len(body)) || dirs+entries+text != uint64(len(body)) {
		return errors.New("the index is cut short")
	}
	x.dirs, x.entries, x.text = body[:dirs], body[dirs:dirs+entries], body[dirs+entries:]
	return nil
}

// Check reads all of the index and tells whether its bytes are those that were
// written.
func (x *Index) Check() error {
	if got, want := crc32.Checksum(x.data[headerSize:], castagnoli), order.Uint32(x.data[atSum:]); got != want {
		return fmt.Errorf("the index is damaged: its checksum is %08x instead of %08x", got, want)
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Close gives the mapping back. Entries must not be used any more.
func (x *Index) Close() {
	if x.data != nil {
		_ = unix.Munmap(x.data)
	}
	*x = Index{}
}
