package transport

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// Device is an open FUSE connection.
type Device struct {
	fd int

	mu     sync.Mutex
	held   int // how many use it: the readers together, and each notification
	closed bool
}

// FD is the descriptor; it stays the Device's.
func (d *Device) FD() int { return d.fd }

// Close gives the connection up. The kernel then answers ENOTCONN on the mount,
// if there still is one. While a Server serves, that waits for its end: a
// reader in read(2) keeps the file open anyhow, and would next read whatever
// got the same number.
func (d *Device) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.release()
}

// hold keeps the descriptor open until drop; false says that it is closed.
func (d *Device) hold() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fd < 0 {
		return false
	}
	d.held++
	return true
}

func (d *Device) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held--
	d.release()
}

// release closes the descriptor once. The caller holds mu.
func (d *Device) release() {
	if d.closed && d.held == 0 && d.fd >= 0 {
		closeConnection(d.fd)
		d.fd = -1
	}
}

// FromFD takes a FUSE descriptor that somebody else has mounted. The descriptor
// itself is duplicated and stays the caller's.
func FromFD(fd int) (*Device, error) {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/fd/%d: no such descriptor: %w", fd, err)
	}
	if err := unix.SetNonblock(dup, false); err != nil {
		_ = unix.Close(dup)
		return nil, fmt.Errorf("/dev/fd/%d: %w", fd, err)
	}
	return newDevice(dup), nil
}

const devicePath = "/dev/fuse"

// openDevice opens /dev/fuse, in the user namespace of the mount to be.
func openDevice() (*Device, error) {
	fd, err := unix.Open(devicePath, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return newDevice(fd), nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return nil, errors.New("there is no " + devicePath + ": load the module (modprobe fuse), or in a container pass it in (--device " + devicePath + ")")
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return nil, fmt.Errorf("no permission to open %s as uid %d: as root, chmod 0666 %s, as distributions have it (in a container also check that devices are allowed)", devicePath, unix.Geteuid(), devicePath)
	}
	return nil, fmt.Errorf("%s: %w", devicePath, err)
}
