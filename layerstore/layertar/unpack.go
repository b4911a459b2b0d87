package layertar

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"unionfs/whiteout"
)

// IDs says how owners stand on disk.
type IDs int

const (
	// RealIDs: files belong to whom the archive says.
	RealIDs IDs = iota
	// SingleID: every file belongs to this process, and owner, mode and
	// device numbers stand in user.containers.override_stat.
	SingleID
	// Plain is for reading: owners as in RealIDs, in a tree that is no layer
	// of a union. Nothing in it is a mark, and attributes have the names that
	// users see.
	Plain
)

// UnpackOptions say how a tree is made.
type UnpackOptions struct {
	IDs        IDs
	Codec      whiteout.Codec
	MaxBytes   int64 // of file data; an archive with more is refused
	MaxEntries int64
	Warn       func(line string) // may be nil
}

// Summary is what an archive held.
type Summary struct {
	Entries int64
	Bytes   int64      // of file data
	Links   [][]string // groups of hard-linked names
	// Root says that it had an entry for the tree itself. Of layers on top
	// of each other, the highest that has one says what the root is like.
	Root bool
}

// readAhead is how much of the archive is read at once: archive/tar itself
// asks for one block of 512 bytes after the other.
const readAhead = 256 << 10

// Unpack makes the tree of an archive in the empty directory dirfd. A zero
// limit in o is none.
func Unpack(ctx context.Context, r io.Reader, dirfd int, o UnpackOptions) (Summary, error) {
	u, err := newUnpacker(ctx, dirfd, o)
	if err != nil {
		return Summary{}, err
	}
	err = u.read(tar.NewReader(bufio.NewReaderSize(r, readAhead)))
	if perr := u.pool.close(); perr != nil {
		err = perr // what the reader says then is only that it was stopped
	}
	if err == nil {
		err = u.finish()
	}
	u.fds.close()
	if err != nil {
		return Summary{}, err
	}
	u.sum.Links = u.links.groups()
	return u.sum, nil
}

// unpacker is one run of Unpack. Its fields belong to the goroutine that reads
// the archive, but for pool, disk and warner, which the workers use too.
type unpacker struct {
	ctx    context.Context
	o      UnpackOptions
	root   *node
	all    []*node // every directory that was made, parents first
	parent parentCache
	fds    dirCache
	pool   *pool
	disk   *disk
	links  linkTable
	warner *warner
	sum    Summary
	made   int64 // directories that no entry asked for
	kept   int64 // bytes of attributes that wait for finish
}

func newUnpacker(ctx context.Context, dirfd int, o UnpackOptions) (*unpacker, error) {
	if o.Codec == nil {
		return nil, errors.New("unpacking takes a codec for whiteouts")
	}
	w := &warner{say: o.Warn}
	d, err := newDisk(dirfd, o.IDs, w)
	if err != nil {
		return nil, fmt.Errorf("the directory to unpack into: %w", err)
	}
	u := &unpacker{ctx: ctx, o: o, root: &node{}, disk: d, warner: w, links: newLinkTable()}
	u.all = append(u.all, u.root)
	u.fds.pin(u.root, dirfd)
	u.pool = startPool(ctx, d)
	return u, nil
}

// read takes one entry after the other.
func (u *unpacker) read(tr *tar.Reader) error {
	for {
		if err := u.pool.err(); err != nil {
			return err
		}
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return fmt.Errorf("the archive is damaged behind entry %d: %w", u.sum.Entries, err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // comments of git and the like; nobody applies them
		}
		if err := u.count(h); err != nil {
			return err
		}
		if err := u.entry(tr, h); err != nil {
			if perr := u.pool.err(); perr != nil {
				return perr // of another entry
			}
			return fmt.Errorf("%q in the archive: %w", h.Name, err)
		}
	}
}

// count keeps an archive within its limits.
func (u *unpacker) count(h *tar.Header) error {
	u.sum.Entries++
	if err := u.limitEntries(); err != nil {
		return err
	}
	if !hasData(h) {
		return nil
	}
	if h.Size < 0 {
		return fmt.Errorf("%q in the archive: its size is %d", h.Name, h.Size)
	}
	if u.o.MaxBytes > 0 && h.Size > u.o.MaxBytes-u.sum.Bytes {
		return &LimitError{What: "bytes of file data", Limit: u.o.MaxBytes}
	}
	u.sum.Bytes += h.Size
	return nil
}

func (u *unpacker) limitEntries() error {
	if u.o.MaxEntries > 0 && u.sum.Entries+u.made > u.o.MaxEntries {
		return &LimitError{What: "entries", Limit: u.o.MaxEntries}
	}
	return nil
}

// entry makes of one entry what it says.
func (u *unpacker) entry(tr *tar.Reader, h *tar.Header) error {
	path, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	e, err := u.parse(h)
	if err != nil {
		return err
	}
	if path == "" {
		return u.rootEntry(e)
	}
	dir, name := splitPath(path)
	if first := firstName(path); whiteout.IsBookkeeping(name) || whiteout.IsBookkeeping(first) && first != aufsLinks {
		return nil
	}
	parent, err := u.resolveDir(dir, e)
	if err != nil {
		return err
	}
	if mark, ok, err := markOf(name, e); ok || err != nil {
		if err != nil {
			return err
		}
		return u.mark(parent, mark)
	}
	switch e.kind {
	case kindDir:
		return u.directory(parent, name, e)
	case kindLink:
		return u.hardLink(parent, name, h.Linkname)
	case kindSkip:
		u.warner.once(e.why, "%s, and others like it, are left out: %s", path, e.why)
		return nil
	case kindWhiteout:
		u.warner.warn("%s: the device 0:0 is a whiteout on disk, and taken as one", path)
		return u.replaceByMark(parent, name)
	}
	return u.file(tr, parent, name, e)
}
