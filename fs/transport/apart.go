package transport

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// connections are the descriptors of all connections of this process.
var connections = struct {
	sync.Mutex
	fds map[int]struct{}
}{fds: map[int]struct{}{}}

func newDevice(fd int) *Device {
	keepConnection(fd)
	return &Device{fd: fd}
}

// keepConnection lists a descriptor, until closeConnection.
func keepConnection(fd int) {
	connections.Lock()
	defer connections.Unlock()
	connections.fds[fd] = struct{}{}
}

func closeConnection(fd int) {
	connections.Lock()
	defer connections.Unlock()
	delete(connections.fds, fd)
	_ = unix.Close(fd) // nothing was buffered
}

// Apart runs do, which uses mounts that this process serves, so that a kill ends
// both. A process that is killed while one of its own threads waits for an answer
// of its own would never end: a connection is given up when the last thread that
// shares its descriptor is gone, and the one that waits is such a thread
// (request_wait_answer in fs/fuse/dev.c can't be killed once a request is being
// served). So do runs on a thread that has descriptors of its own, those of the
// connections not among them.
//
// What do opens it must close: nobody else has those descriptors, which are below
// /proc/thread-self/fd, not /proc/self/fd.
func Apart(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The process's first thread would not end with this, and keep all
			// descriptors open: the runtime only parks it. While this waits on
			// it, the work goes to another.
			defer runtime.UnlockOSThread()
			done <- Apart(do)
			return
		}
		err := part() // the thread, still locked, ends with this
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

func part() error {
	connections.Lock()
	defer connections.Unlock()
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return err
	}
	for fd := range connections.fds {
		_ = unix.Close(fd) // nothing was buffered
	}
	return nil
}
