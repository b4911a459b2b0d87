package hostfs

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockFile takes the lock file name, making it when it is absent, and writes
// our pid into it. When another holds it, the answer is EWOULDBLOCK and the pid
// found there (0 when there is none). The lock is an OFD lock (fcntl(2)): it
// belongs to the open file, lasts until its last descriptor is closed, and goes
// to a child that inherits the descriptor; nobody loses it by closing another
// descriptor of the same file, as with POSIX locks.
func LockFile(dirfd int, name string) (fd int, holder int, err error) {
	fd, err = Open(dirfd, name, unix.O_RDWR|unix.O_CREAT|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return -1, 0, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err = again(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) })
	if err == unix.EAGAIN || err == unix.EACCES {
		holder = readPid(fd)
		Close(fd)
		return -1, holder, unix.EWOULDBLOCK
	}
	if err == nil {
		err = writePid(fd)
	}
	if err != nil {
		Close(fd)
		return -1, 0, err
	}
	return fd, 0, nil
}

func writePid(fd int) error {
	if err := Ftruncate(fd, 0); err != nil {
		return err
	}
	_, err := Pwrite(fd, strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	return err
}

func readPid(fd int) int {
	var buf [16]byte
	n, _ := Pread(fd, buf[:], 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
