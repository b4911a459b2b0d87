package transport

import "golang.org/x/sys/unix"

// Options says how a Server talks to the kernel. The zero value of each field
// is a sensible default.
type Options struct {
	// Want are the fuse.CAP_* bits wanted; those the kernel offers are taken.
	Want uint64
	// MaxWrite is the largest WRITE and READ in bytes.
	MaxWrite int
	// MaxReadAhead bounds the kernel's read-ahead in bytes.
	MaxReadAhead int
	// MaxBackground bounds asynchronous requests under way.
	MaxBackground int
	// Passthrough takes CAP_PASSTHROUGH, where it is offered, in place of
	// CAP_WRITEBACK_CACHE and CAP_NO_OPEN_SUPPORT, which exclude it.
	Passthrough bool
	// Uring takes CAP_OVER_IO_URING, where it is offered and works.
	Uring bool
	// TimeGran is the resolution of time stamps in nanoseconds.
	TimeGran uint32
	// MayHalt lets processors halt between two requests (awake.go).
	MayHalt bool
	// Debug gets one line for each request and reply; nil turns it off.
	Debug func(line string)
	// Log gets one line for each incident, with a stack where there was a
	// panic; nil drops them. It is called from several threads.
	Log func(line string)
}

const (
	// largestWrite is 256 pages, the kernel's default limit
	// (fs.fuse.max_pages_limit).
	largestWrite = 1 << 20
	// smallestWrite is what the kernel makes of anything less
	// (process_init_reply).
	smallestWrite = 4096
	// largestOther bounds requests and replies that MaxWrite doesn't: an
	// xattr's value and lists of them have 64 KiB (XATTR_SIZE_MAX).
	largestOther = 128 << 10

	usualBackground = 64
)

func (o Options) withDefaults() Options {
	if o.MaxWrite <= 0 || o.MaxWrite > largestWrite {
		o.MaxWrite = largestWrite
	}
	o.MaxWrite = max(o.MaxWrite, smallestWrite)
	if o.MaxBackground <= 0 || o.MaxBackground > 1<<16-1 {
		o.MaxBackground = usualBackground
	}
	if o.TimeGran == 0 {
		o.TimeGran = 1
	}
	return o
}

// bufferSize has room for the largest payload and, in a page of its own, the
// structures before it.
func (o Options) bufferSize() int {
	return max(o.MaxWrite, largestOther) + unix.Getpagesize()
}
