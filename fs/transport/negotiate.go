package transport

import (
	"fmt"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	protocolMajor = 7
	// protocolMinor is the newest minor version whose structures we speak.
	protocolMinor = 45
	// oldestMinor is Linux 4.20's: before it there is no MAX_PAGES.
	oldestMinor = 28
)

// serveInit agrees on the protocol (fuse_send_init and process_init_reply).
// The request is shorter on kernels before 5.17, which know 32 flags.
func serveInit(c *call) fuse.Status {
	var in fuse.InitIn
	copy(bytesOf(&in), c.in)
	o := &c.s.opts
	out := output[fuse.InitOut](c)
	out.Major, out.Minor = protocolMajor, min(in.Minor, protocolMinor)
	if in.Major > protocolMajor {
		return fuse.OK // the kernel asks again with a major version of ours
	}
	if in.Major < protocolMajor || in.Minor < oldestMinor {
		c.fatal = fmt.Errorf("the kernel speaks FUSE %d.%d; %d.%d is needed (Linux 4.20)", in.Major, in.Minor, protocolMajor, oldestMinor)
		return fuse.Status(unix.EPROTO)
	}
	offered := in.Flags64()
	if offered&fuse.CAP_INIT_EXT == 0 {
		offered = uint64(in.Flags)
	}
	want := o.Want | fuse.CAP_INIT_EXT
	if o.Passthrough && offered&fuse.CAP_PASSTHROUGH != 0 {
		// A truncating open is one question then, and copies nothing.
		want |= fuse.CAP_PASSTHROUGH | fuse.CAP_ATOMIC_O_TRUNC
		want &^= fuse.CAP_WRITEBACK_CACHE | fuse.CAP_NO_OPEN_SUPPORT
		out.MaxStackDepth = 1
	}
	if c.s.queues.prepare(offered) {
		want |= fuse.CAP_OVER_IO_URING
	}
	flags := offered & want
	out.Flags, out.Flags2 = uint32(flags), uint32(flags>>32)
	out.MaxReadAhead = in.MaxReadAhead
	if o.MaxReadAhead > 0 {
		out.MaxReadAhead = min(out.MaxReadAhead, uint32(o.MaxReadAhead))
	}
	out.MaxWrite = uint32(o.MaxWrite)
	out.MaxPages = uint16((o.MaxWrite + unix.Getpagesize() - 1) / unix.Getpagesize())
	out.MaxBackground = uint16(o.MaxBackground)
	out.CongestionThreshold = uint16(o.MaxBackground * 3 / 4)
	out.TimeGran = o.TimeGran
	c.s.negotiated.Store(flags)
	c.agreed = true
	return fuse.OK
}
