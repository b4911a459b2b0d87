package layertar

import (
	"archive/tar"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kind is what an entry becomes.
type kind uint8

const (
	kindFile kind = iota
	kindDir
	kindSymlink
	kindLink
	kindFifo
	kindChar
	kindBlock
	kindWhiteout // a device that is a whiteout on disk
	kindSkip
)

// entry is what a header says, in the terms of the disk.
type entry struct {
	kind         kind
	why          string // of kindSkip
	size         int64
	sparse       bool
	target       string // of a symlink
	major, minor uint32
	attrs
}

// attrs are what every kind of file has.
type attrs struct {
	uid, gid     uint32
	mode         uint32 // permission bits, 07777
	atime, mtime unix.Timespec
	xattrs       []xattr
}

// weight is about what attrs take in memory beside a fixed part.
func (a *attrs) weight() (n int64) {
	for _, x := range a.xattrs {
		n += int64(len(x.name) + len(x.value) + 64)
	}
	return n
}

// impliedAttrs are for a directory that no entry tells of: root's, and with a
// time that comes from the archive, so that the same archive makes the same
// tree.
func impliedAttrs(e *entry) *attrs {
	return &attrs{mode: 0o755, atime: e.mtime, mtime: e.mtime}
}

func hasData(h *tar.Header) bool {
	switch h.Typeflag {
	case tar.TypeReg, 0, tar.TypeCont, tar.TypeGNUSparse:
		return true
	}
	return false
}

func (u *unpacker) parse(h *tar.Header) (*entry, error) {
	e := &entry{size: h.Size, target: h.Linkname}
	if err := e.setOwner(h); err != nil {
		return nil, err
	}
	e.mode = uint32(h.Mode) & 0o7777
	e.mtime, e.atime = timespec(h.ModTime), timespec(h.ModTime)
	if !h.AccessTime.IsZero() {
		e.atime = timespec(h.AccessTime)
	}
	e.xattrs = readXattrs(h, u.warner)
	switch h.Typeflag {
	case tar.TypeReg, 0, tar.TypeCont:
		e.kind = kindFile
		e.sparse = isSparse(h)
	case tar.TypeGNUSparse:
		e.kind, e.sparse = kindFile, true
	case tar.TypeDir:
		e.kind = kindDir
	case tar.TypeSymlink:
		e.kind = kindSymlink
	case tar.TypeLink:
		e.kind = kindLink
	case tar.TypeFifo:
		e.kind = kindFifo
	case tar.TypeChar, tar.TypeBlock:
		return e, u.parseDevice(h, e)
	default:
		e.kind, e.why = kindSkip, fmt.Sprintf("an entry of type %q can't be unpacked", h.Typeflag)
	}
	return e, nil
}

func (e *entry) setOwner(h *tar.Header) error {
	for _, id := range [...]struct {
		what string
		n    int
		to   *uint32
	}{{"uid", h.Uid, &e.uid}, {"gid", h.Gid, &e.gid}} {
		if id.n < 0 || int64(id.n) >= 1<<32-1 {
			return fmt.Errorf("its %s is %d: Linux has 0 to 4294967294", id.what, id.n)
		}
		*id.to = uint32(id.n)
	}
	return nil
}

// What a device number can hold: 12 and 20 bits (linux/kdev_t.h).
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

const whyNoDevice = "devices can't be made in a user namespace"

func (u *unpacker) parseDevice(h *tar.Header, e *entry) error {
	if h.Devmajor < 0 || h.Devmajor > maxMajor || h.Devminor < 0 || h.Devminor > maxMinor {
		return fmt.Errorf("its device number is %d:%d: Linux has 0:0 to %d:%d", h.Devmajor, h.Devminor, maxMajor, maxMinor)
	}
	e.major, e.minor = uint32(h.Devmajor), uint32(h.Devminor)
	e.kind = kindBlock
	if h.Typeflag == tar.TypeChar {
		e.kind = kindChar
	}
	if u.o.IDs == SingleID {
		return nil // stands in an attribute
	}
	if e.kind == kindChar && e.major == 0 && e.minor == 0 {
		e.kind = kindWhiteout
		return nil
	}
	if u.disk.inUserNS {
		// The kernel makes none there. podman leaves them out too; the
		// override of another mode isn't read in a tree of real ids.
		e.kind, e.why = kindSkip, whyNoDevice
	}
	return nil
}

// isSparse tells of the three PAX forms (GNU tar, "Storing Sparse Files"). The
// records that archive/tar has used are there still.
func isSparse(h *tar.Header) bool {
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		return unix.Timespec{}
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}
