package fs

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Apart runs do, which uses the mount that this process serves, so that a kill
// ends both. A process that is killed while one of its own threads waits for an
// answer of its own would never end: the connection is given up when the last
// thread that shares the descriptors is gone, and the one that waits is such a
// thread (request_wait_answer in fs/fuse/dev.c can't be killed once a request is
// being served). So do runs on a thread that has descriptors of its own, the
// connection's not among them.
//
// What do opens it must close: nobody else has those descriptors.
func (s *Server) Apart(do func() error) error {
	if !s.dev.Hold() {
		return do() // nothing is served any more
	}
	fd := s.dev.FD()
	done := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			_ = unix.Close(fd)
		}
		close(ready)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	<-ready
	s.dev.Drop()
	return <-done
}
