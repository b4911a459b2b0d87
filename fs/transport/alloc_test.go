package transport

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestAllocations: the requests that come by the thousand leave no garbage.
func TestAllocations(t *testing.T) {
	l := newLine(t, newFlat(), Options{})
	read := func(opcode uint32) []byte {
		return request(opcode, uint64(0), uint64(0), uint32(4096), uint32(0), uint64(0), uint64(0))
	}
	requests := map[string][]byte{
		"lookup":      request(opLookup, "plain"),
		"lookup miss": request(opLookup, "none"),
		"getattr":     request(opGetattr, uint64(0), uint64(0)),
		"forget":      request(opForget, uint64(1)),
		"batch":       request(opBatchForget, uint32(1), uint32(0), uint64(5), uint64(1)),
		"readdirplus": read(opReaddirplus),
		"read":        read(opRead),
		"write":       request(opWrite, uint64(0), uint64(0), uint32(4), uint32(0), uint64(0), uint64(0), []byte("data")),
		"rename":      request(opRename2, uint64(6), uint32(2), uint32(0), "a", "b"),
		"setxattr":    request(opSetxattr, uint32(3), uint32(1), "user.a", []byte("abc")),
		"getxattr":    request(opGetxattr, uint32(99), uint32(0), "user.a"),
	}
	for what, r := range requests {
		header(r).NodeId = firstNode
		if opcode := header(r).Opcode; opcode == opLookup || opcode == opReaddirplus {
			header(r).NodeId = fuse.FUSE_ROOT_ID
		}
		if n := testing.AllocsPerRun(100, func() { l.call.handle(r) }); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}
