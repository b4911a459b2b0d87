package fstest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// OtherUser is the id (and group) of the ordinary user that a suite run by
// root acts as.
const OtherUser = 1000

// AsUser runs f as an ordinary user. Root gets there by the file system ids of
// one thread: setfsuid(2) also takes away the capabilities that override
// permissions (CAP_FSETID among them). The thread ends with its goroutine, so
// nothing has to be given back. An ordinary user stays who it is.
func AsUser(t testing.TB, f func()) {
	t.Helper()
	NeedUser(t)
	if unix.Geteuid() != 0 {
		f()
		return
	}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = become(OtherUser); err == nil {
			f()
		}
	}()
	<-done
	if err != nil {
		t.Fatal(err)
	}
}

// become uses the raw calls: those of the library change all threads.
func become(id uintptr) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return errno
	}
	unix.RawSyscall(unix.SYS_SETFSGID, id, 0, 0)
	unix.RawSyscall(unix.SYS_SETFSUID, id, 0, 0)
	// setfsuid(2) answers the previous id, also when it did nothing.
	if now, _, _ := unix.RawSyscall(unix.SYS_SETFSUID, ^uintptr(0), 0, 0); now != id {
		return unix.EPERM
	}
	return nil
}

func canBecome(id uintptr) bool {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- become(id)
	}()
	return <-result == nil
}

// dropSysAdmin takes CAP_SYS_ADMIN from this thread, which AsUser leaves to it.
func dropSysAdmin() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		return err
	}
	caps[0].Effective &^= 1 << unix.CAP_SYS_ADMIN
	return unix.Capset(&header, &caps[0])
}
