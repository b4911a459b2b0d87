package transport

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// hello is the INIT of a kernel that offers flags in minor version minor.
func hello(minor uint32, flags uint64) []byte {
	flags |= fuse.CAP_INIT_EXT
	return request(opInit, uint32(7), minor, uint32(128<<10), uint32(flags), uint32(flags>>32), make([]byte, 44))
}

func TestInit(t *testing.T) {
	const offered = fuse.CAP_BIG_WRITES | fuse.CAP_MAX_PAGES | fuse.CAP_PASSTHROUGH | fuse.CAP_WRITEBACK_CACHE
	l := newLine(t, nothing{}, Options{Want: fuse.CAP_MAX_PAGES | fuse.CAP_WRITEBACK_CACHE | fuse.CAP_POSIX_ACL, MaxWrite: 512 << 10, Passthrough: true, TimeGran: 100})
	out := structure[fuse.InitOut](t, l.want(hello(99, offered), fuse.OK))
	want := fuse.InitOut{
		Major: 7, Minor: protocolMinor, MaxReadAhead: 128 << 10,
		Flags: fuse.CAP_MAX_PAGES | fuse.CAP_INIT_EXT, Flags2: fuse.CAP_PASSTHROUGH >> 32,
		MaxWrite: 512 << 10, MaxPages: 128, MaxBackground: 64, CongestionThreshold: 48,
		MaxStackDepth: 1, TimeGran: 100,
	}
	if *out != want {
		t.Errorf("got  %+v\nwant %+v", *out, want)
	}
	if got := l.s.Negotiated(); got != fuse.CAP_MAX_PAGES|fuse.CAP_PASSTHROUGH|fuse.CAP_INIT_EXT {
		t.Errorf("negotiated %#x", got)
	}
}

// TestInitOld: a kernel before 5.17 sends 16 bytes, and a minor version that
// we must not exceed.
func TestInitOld(t *testing.T) {
	l := newLine(t, nothing{}, Options{Want: ^uint64(0)})
	out := structure[fuse.InitOut](t, l.want(request(opInit, uint32(7), uint32(31), uint32(4096), uint32(fuse.CAP_MAX_PAGES)), fuse.OK))
	if out.Minor != 31 || out.Flags != fuse.CAP_MAX_PAGES || out.Flags2 != 0 || out.MaxWrite != 1<<20 || out.MaxPages != 256 {
		t.Errorf("%+v", *out)
	}
}

func TestInitForeign(t *testing.T) {
	l := newLine(t, nothing{}, Options{})
	// A newer kernel asks again.
	out := structure[fuse.InitOut](t, l.want(request(opInit, uint32(8), uint32(0), uint32(0), uint32(0)), fuse.OK))
	if out.Major != 7 || l.call.fatal != nil || l.call.agreed {
		t.Errorf("%+v, fatal %v, agreed %v", *out, l.call.fatal, l.call.agreed)
	}
	for _, version := range [][2]uint32{{6, 99}, {7, 27}} {
		l := newLine(t, nothing{}, Options{})
		l.want(request(opInit, version[0], version[1], uint32(0), uint32(0)), fuse.Status(unix.EPROTO))
		if l.call.fatal == nil || l.call.agreed {
			t.Errorf("version %v is taken", version)
		}
	}
}
