package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"

	"unionfs/fs/union"
)

// OpenDir serves OPENDIR: never again, if the kernel can do without.
func (f *face) OpenDir(in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.has(fuse.CAP_NO_OPENDIR_SUPPORT) && f.timeout > 0 {
		return fuse.ENOSYS
	}
	if f.timeout > 0 {
		out.OpenFlags = fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_CACHE_DIR
	}
	return fuse.OK
}

// ReleaseDir serves RELEASEDIR.
func (f *face) ReleaseDir(in *fuse.ReleaseIn) fuse.Status { return fuse.OK }

// ReadDir serves READDIR.
func (f *face) ReadDir(in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.list(in, func(e *union.DirEntry) bool {
		return out.AddDirEntry(row(e))
	}, false)
}

// ReadDirPlus serves READDIRPLUS: every entry but "." and ".." counts as
// looked up.
func (f *face) ReadDirPlus(in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.list(in, func(e *union.DirEntry) bool {
		entry := out.AddDirLookupEntry(row(e))
		if entry == nil {
			return false
		}
		if e.Inode != nil {
			f.entryOut(entry, e.Inode, &e.Attr)
		}
		return true
	}, true)
}

func row(e *union.DirEntry) fuse.DirEntry {
	return fuse.DirEntry{Mode: uint32(e.Type) << 12, Name: e.Name, Ino: e.Ino, Off: e.Cookie}
}

func (f *face) list(in *fuse.ReadIn, yield func(e *union.DirEntry) bool, plus bool) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	given := 0
	err := f.u.ReadDir(n, in.Offset, plus, func(e *union.DirEntry) bool {
		if !yield(e) {
			return false
		}
		given++
		return true
	})
	if given > 0 {
		return fuse.OK // the kernel asks again and meets the error then
	}
	return f.status(err)
}

// FsyncDir serves FSYNCDIR.
func (f *face) FsyncDir(in *fuse.FsyncIn) fuse.Status { return f.Fsync(in) }
