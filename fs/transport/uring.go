package transport

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uring is an io_uring that has one command under way at a time (io_uring(7)). It
// is used by the thread that enabled it alone.
type uring struct {
	fd int
	// memory is a page for the commands and one for both queues' heads and tails
	// and the completions. It is ours, not the ring's: mapped, a ring lives as long
	// as any thread of the process does, and with it its part of the connection,
	// which a thread that waits for us (Apart) would so keep from ending.
	memory []byte

	sqTail, cqHead, cqTail *uint32
	sqMask, cqMask         uint32
	cqes                   unsafe.Pointer
}

// Of include/uapi/linux/io_uring.h.
const (
	uringDisabled     = 1 << 6
	uringSQE128       = 1 << 10
	uringSingleIssuer = 1 << 12
	uringDeferTaskrun = 1 << 13
	uringNoMmap       = 1 << 14
	uringNoSQArray    = 1 << 16
	uringGetEvents    = 1
	uringEnableRings  = 12
	uringOpCmd        = 46

	sqeSize = 128
	cqeSize = 16
)

// uringParams is struct io_uring_params.
type uringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		memory                                              uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		memory                                              uint64
	}
}

// sqe is struct io_uring_sqe of 128 bytes, as commands use it; fuse is struct
// fuse_uring_cmd_req.
type sqe struct {
	opcode   uint8
	flags    uint8
	_        uint16
	fd       int32
	command  uint32
	_        uint32
	addr     uint64
	len      uint32
	_        uint32
	userData uint64
	_        uint64
	fuse     struct {
		flags, commit uint64
		queue         uint16
	}
}

// openUring makes a ring for the thread that will enable it. Commands complete when
// that thread enters the kernel, and never interrupt it.
func openUring() (*uring, error) {
	page := unix.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("io_uring: mmap: %w", err)
	}
	p := uringParams{flags: uringDisabled | uringSQE128 | uringSingleIssuer | uringDeferTaskrun | uringNoMmap | uringNoSQArray}
	p.sq.memory = uint64(uintptr(unsafe.Pointer(&memory[0])))
	p.cq.memory = p.sq.memory + uint64(page)
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		_ = unix.Munmap(memory)
		return nil, fmt.Errorf("io_uring_setup: %w", errno)
	}
	u := &uring{fd: int(fd), memory: memory, sqMask: p.sqEntries - 1, cqMask: p.cqEntries - 1}
	keepConnection(u.fd)
	at := func(offset uint32) unsafe.Pointer { return unsafe.Pointer(&memory[page+int(offset)]) }
	u.sqTail, u.cqHead, u.cqTail = (*uint32)(at(p.sq.tail)), (*uint32)(at(p.cq.head)), (*uint32)(at(p.cq.tail))
	u.cqes = at(p.cq.cqes)
	return u, nil
}

// enable makes the ring the calling thread's.
func (u *uring) enable() error {
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(u.fd), uringEnableRings, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("io_uring_register: %w", errno)
	}
	return nil
}

func (u *uring) close() {
	closeConnection(u.fd)
	_ = unix.Munmap(u.memory)
}

// entry is the next command's place, zeroed.
func (u *uring) entry() *sqe {
	e := (*sqe)(unsafe.Pointer(&u.memory[(*u.sqTail&u.sqMask)*sqeSize]))
	*e = sqe{}
	return e
}

// submit begins the command that was put in entry. It doesn't wait.
func (u *uring) submit() error {
	atomic.StoreUint32(u.sqTail, *u.sqTail+1)
	for {
		if n, err := u.enter(1, 0); n > 0 || err != nil {
			return err
		}
	}
}

// do submits the command that was put in entry, unless that was done, and waits for
// its completion, whose result it answers: a negative errno when it failed.
func (u *uring) do(submitted bool) (result int32, err error) {
	submit := uintptr(0)
	if !submitted {
		atomic.StoreUint32(u.sqTail, *u.sqTail+1)
		submit = 1
	}
	for {
		n, err := u.enter(submit, 1)
		if err != nil {
			return 0, err
		}
		submit -= min(submit, n)
		if head := *u.cqHead; head != atomic.LoadUint32(u.cqTail) {
			result = *(*int32)(unsafe.Add(u.cqes, uintptr(head&u.cqMask)*cqeSize+8))
			atomic.StoreUint32(u.cqHead, head+1)
			return result, nil
		}
	}
}

// enter answers how many commands the kernel has taken.
func (u *uring) enter(submit, complete uintptr) (taken uintptr, err error) {
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(u.fd), submit, complete, uringGetEvents, 0, 0)
	switch errno {
	case 0:
		return n, nil
	case unix.EINTR, unix.EAGAIN, unix.EBUSY:
		return 0, nil
	}
	return 0, fmt.Errorf("io_uring_enter: %w", errno)
}
