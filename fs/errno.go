package fs

import (
	"errors"
	"fmt"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// status turns an error into the reply's. A bare errno is a verdict for the
// caller; anything else is an incident, which is logged and answered with the
// errno inside it, or EIO.
func (f *face) status(err error) fuse.Status {
	if err == nil {
		return fuse.OK
	}
	if errno, ok := err.(unix.Errno); ok {
		return fuse.Status(errno)
	}
	f.log(fmt.Sprintf("incident: %v", err))
	var errno unix.Errno
	if errors.As(err, &errno) {
		return fuse.Status(errno)
	}
	return fuse.EIO
}

// stale is the answer for a node id that the kernel should have forgotten.
const stale = fuse.Status(unix.ESTALE)
