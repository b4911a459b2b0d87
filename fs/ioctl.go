package fs

import (
	"encoding/binary"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/fs/union"
)

// ioctl numbers of include/uapi/linux/fs.h, for 64-bit and 32-bit callers.
const (
	getFlags   = 0x80086601
	getFlags32 = 0x80046601
	setFlags   = 0x40086602
	setFlags32 = 0x40046602
	getFsxattr = 0x801c581f
	setFsxattr = 0x401c5820
)

// Ioctl serves IOCTL: the inode flags in both forms, and ENOTTY for all that a
// plain file system doesn't know. Whether the caller may change them was
// decided by the kernel (fileattr_set_prepare).
func (f *face) Ioctl(in *fuse.IoctlIn, inbuf []byte, out *fuse.IoctlOut, outbuf []byte) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	switch in.Cmd {
	case getFlags, getFlags32:
		return f.getFlags(n, outbuf)
	case setFlags, setFlags32:
		if len(inbuf) < 4 {
			return fuse.EINVAL
		}
		return f.status(f.u.SetFlags(n, binary.NativeEndian.Uint32(inbuf)))
	case getFsxattr:
		return f.getFsxattr(n, outbuf)
	case setFsxattr:
		var x hostfs.Fsxattr
		if copy(x[:], inbuf) < len(x) {
			return fuse.EINVAL
		}
		return f.status(f.u.SetFsxattr(n, &x))
	}
	return fuse.Status(unix.ENOTTY)
}

func (f *face) getFlags(n *union.Inode, out []byte) fuse.Status {
	flags, err := f.u.Flags(n)
	if err == nil && len(out) >= 4 {
		binary.NativeEndian.PutUint32(out, flags)
	}
	return f.status(err)
}

func (f *face) getFsxattr(n *union.Inode, out []byte) fuse.Status {
	var x hostfs.Fsxattr
	if len(out) < len(x) {
		return fuse.EINVAL
	}
	err := f.u.Fsxattr(n, &x)
	copy(out, x[:])
	return f.status(err)
}
