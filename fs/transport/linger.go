package transport

import (
	"errors"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A reader that has answered lingers: it asks for the next request again and
// again before it goes to sleep. To put a thread to sleep and wake it up again,
// on another processor than its waker's, takes longer than most requests do; a
// client that works through a tree asks again before that is over. It does so
// only where there is a processor for it and where it paid of late.

const (
	// lingerFor is how long a reader asks in vain.
	lingerFor = 60 * time.Microsecond
	// lingerGap is a time between two looks that says that somebody else had the
	// processor meanwhile.
	lingerGap = 25 * time.Microsecond
	// lingerLooks is the number of questions between two looks at the clock.
	lingerLooks = 8
	// mostSkips is how many requests are answered without, after it didn't pay.
	mostSkips = 63
)

// linger is what readers that linger share: a descriptor of the connection that
// never blocks, -1 without one, and the right to use it, which one reader has at
// a time.
type linger struct {
	fd    int
	taken atomic.Bool
}

// begin clones the device. Without a clone, nobody lingers.
func (l *linger) begin(d *Device) {
	l.fd = -1
	if runtime.NumCPU() < 2 {
		return
	}
	if fd, err := d.clone(unix.O_NONBLOCK); err == nil {
		l.fd = fd
	}
}

func (l *linger) end() {
	if l.fd >= 0 {
		closeConnection(l.fd)
	}
}

// next answers the length of the next request, if it comes soon.
func (l *linger) next(r *reader) (n int, ok bool) {
	if l.fd < 0 {
		return 0, false
	}
	if r.skip > 0 {
		r.skip--
		return 0, false
	}
	if !l.taken.CompareAndSwap(false, true) {
		return 0, false
	}
	defer l.taken.Store(false)
	n, err := l.ask(r.in)
	if err == nil {
		r.skips = 0
		return n, true
	}
	if errors.Is(err, errCrowded) {
		r.skips = mostSkips
	}
	r.skips = min(2*r.skips+1, mostSkips)
	r.skip = r.skips
	return 0, false
}

var errCrowded = errors.New("somebody else needs the processor")

// ask reads until there is something to read. It keeps the scheduler out of it:
// nothing here takes long. Other errors than EAGAIN are for the read that waits.
func (l *linger) ask(in []byte) (int, error) {
	begin := time.Now()
	last := time.Duration(0)
	for {
		for range lingerLooks {
			n, _, errno := syscall.RawSyscall(unix.SYS_READ, uintptr(l.fd), uintptr(unsafe.Pointer(&in[0])), uintptr(len(in)))
			switch errno {
			case 0:
				return int(n), nil
			case unix.EAGAIN, unix.EINTR, unix.ENOENT:
			default:
				return 0, errno
			}
		}
		now := time.Since(begin)
		switch {
		case now-last > lingerGap:
			return 0, errCrowded
		case now > lingerFor:
			return 0, unix.EAGAIN
		}
		last = now
		_, _, _ = syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// ioctlClone is FUSE_DEV_IOC_CLONE.
const ioctlClone = 2<<30 | 4<<16 | 229<<8

// clone opens the connection a second time. What was read from a clone is
// answered there. The caller closes it with closeConnection.
func (d *Device) clone(flags int) (int, error) {
	// By the descriptor, as the path may be hidden or another's.
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(d.fd), unix.O_RDWR|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, err
	}
	old := uint32(d.fd)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlClone, uintptr(unsafe.Pointer(&old))); errno != 0 {
		_ = unix.Close(fd) // no connection of anybody
		return -1, errno
	}
	keepConnection(fd)
	return fd, nil
}
