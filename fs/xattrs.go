package fs

import (
	"github.com/hanwen/go-fuse/v2/fuse"
)

// GetXAttr serves GETXATTR.
func (f *face) GetXAttr(in *fuse.InHeader, name, buf []byte) (int, fuse.Status) {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return 0, stale
	}
	size, err := f.u.GetXattr(n, string(name), buf)
	return size, f.status(err)
}

// ListXAttr serves LISTXATTR. The kernel guards the values of trusted
// attributes and not their names, and a request doesn't say whether its caller
// has CAP_SYS_ADMIN: in practice root has.
func (f *face) ListXAttr(in *fuse.InHeader, buf []byte) (int, fuse.Status) {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return 0, stale
	}
	size, err := f.u.ListXattr(n, buf, in.Uid == 0)
	return size, f.status(err)
}

// SetXAttr serves SETXATTR.
func (f *face) SetXAttr(in *fuse.SetXAttrIn, name, value []byte) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	kill := in.SetXAttrFlags&fuse.SETXATTR_ACL_KILL_SGID != 0
	return f.status(f.u.SetXattr(n, string(name), value, int(in.Flags), kill))
}

// RemoveXAttr serves REMOVEXATTR.
func (f *face) RemoveXAttr(in *fuse.InHeader, name []byte) fuse.Status {
	n := f.nodes.get(in.NodeId)
	if n == nil {
		return stale
	}
	return f.status(f.u.RemoveXattr(n, string(name)))
}
