package transport

import (
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Notifications make the kernel drop what it has cached. They may wait for
// locks that a request under way holds, so a handler must not send one.

// NotifyInvalEntry makes the kernel look name up again.
func (s *Server) NotifyInvalEntry(parent uint64, name string) error {
	body := fuse.NotifyInvalEntryOut{Parent: parent, NameLen: uint32(len(name))}
	return s.notify(fuse.NOTIFY_INVAL_ENTRY, bytesOf(&body), name)
}

// NotifyInvalInode makes the kernel drop a node's attributes, and its data
// from off on unless off is negative; length 0 means to the end.
func (s *Server) NotifyInvalInode(node uint64, off, length int64) error {
	body := fuse.NotifyInvalInodeOut{Ino: node, Off: off, Length: length}
	return s.notify(fuse.NOTIFY_INVAL_INODE, bytesOf(&body), "")
}

// NotifyDelete tells that name, which was child, has gone.
func (s *Server) NotifyDelete(parent, child uint64, name string) error {
	body := fuse.NotifyInvalDeleteOut{Parent: parent, Child: child, NameLen: uint32(len(name))}
	return s.notify(fuse.NOTIFY_DELETE, bytesOf(&body), name)
}

func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// notify writes a message with unique 0 and the code in place of an errno. A
// node or name that the kernel doesn't know (ENOENT) needs no notification.
func (s *Server) notify(code int32, body []byte, name string) error {
	msg := make([]byte, outHeaderSize, outHeaderSize+len(body)+len(name)+1)
	msg = append(msg, body...)
	if name != "" {
		msg = append(append(msg, name...), 0)
	}
	h := (*fuse.OutHeader)(unsafe.Pointer(&msg[0]))
	h.Length, h.Status = uint32(len(msg)), -code
	if !s.dev.hold() {
		return nil // the kernel keeps nothing any more
	}
	defer s.dev.drop()
	_, err := unix.Write(s.dev.fd, msg)
	if err == unix.ENOENT {
		return nil
	}
	return err
}
