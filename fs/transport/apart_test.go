package transport

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestApart: connections aren't among the descriptors, and nothing keeps those
// copies after the end, whichever thread it began on.
func TestApart(t *testing.T) {
	var pipe, conn [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	if err := unix.Pipe2(conn[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	d := newDevice(conn[0])
	defer d.Close()
	defer unix.Close(conn[1])
	defer unix.Close(pipe[0])
	for range 4 * runtime.NumCPU() {
		err := Apart(func() error {
			if _, err := unix.FcntlInt(uintptr(conn[0]), unix.F_GETFD, 0); err != unix.EBADF {
				t.Errorf("the connection's descriptor: %v", err)
			}
			_, err := unix.FcntlInt(uintptr(pipe[1]), unix.F_GETFD, 0)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(conn[0]), unix.F_GETFD, 0); err != nil {
		t.Errorf("the connection's descriptor is closed for all: %v", err)
	}
	unix.Close(pipe[1])
	var b [1]byte
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if n, err := unix.Read(pipe[0], b[:]); err == nil && n == 0 {
			return // nobody has the other end any more
		}
		if time.Now().After(end) {
			t.Fatal("somebody keeps a copy of the descriptors")
		}
	}
}
