package fstest

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockChecks: locks belong to the inode, not to the layer: they hold across
// copy-up.
var lockChecks = []check{
	{name: "locks/flock", run: func(e *env) {
		a, b := e.open("low", os.O_RDONLY), e.open("low", os.O_RDONLY)
		e.must(unix.Flock(int(a.Fd()), unix.LOCK_EX))
		e.want("second flock", unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
		e.must(unix.Flock(int(a.Fd()), unix.LOCK_UN))
		e.must(unix.Flock(int(b.Fd()), unix.LOCK_SH|unix.LOCK_NB))
		e.close(a)
		e.close(b)
	}},
	{name: "locks/flock-across-copyup", kernel: "a descriptor from before copy-up locks the lower inode", run: func(e *env) {
		a := e.open("low", os.O_RDONLY)
		e.must(unix.Flock(int(a.Fd()), unix.LOCK_EX))
		b := e.open("low", os.O_RDWR)
		_, err := b.WriteAt([]byte("x"), 0)
		e.must(err)
		e.want("flock after copy-up", unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
		e.close(a)
		e.must(unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB))
		e.close(b)
	}},
	{name: "locks/open-file-description", run: func(e *env) {
		a, b := e.open("low", os.O_RDWR), e.open("low", os.O_RDWR)
		e.must(ofdLock(a, unix.F_WRLCK, 0, 10))
		e.want("overlapping lock", ofdLock(b, unix.F_WRLCK, 5, 10), unix.EAGAIN)
		e.must(ofdLock(b, unix.F_WRLCK, 10, 10))
		e.must(ofdLock(a, unix.F_UNLCK, 0, 5))
		e.must(ofdLock(b, unix.F_RDLCK, 0, 5))
		e.close(a)
		e.must(ofdLock(b, unix.F_WRLCK, 0, 100))
		e.close(b)
	}},
	{name: "locks/posix", run: func(e *env) {
		f := e.open("low", os.O_RDWR)
		lock := unix.Flock_t{Type: unix.F_WRLCK, Len: 5}
		e.must(unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock))
		b := e.open("low", os.O_RDWR)
		// An OFD lock conflicts with a POSIX lock, also of the same process.
		e.want("lock by another owner", ofdLock(b, unix.F_WRLCK, 0, 1), unix.EAGAIN)
		e.close(e.open("low", os.O_RDONLY)) // closing any descriptor drops POSIX locks (fcntl(2))
		e.must(ofdLock(b, unix.F_WRLCK, 0, 1))
		e.close(b)
		e.close(f)
	}},
}

func ofdLock(f *os.File, kind int16, start, length int64) error {
	lock := unix.Flock_t{Type: kind, Start: start, Len: length}
	return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
}
