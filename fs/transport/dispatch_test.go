package transport

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestDispatch(t *testing.T) {
	tests := []struct {
		name    string
		request []byte
		code    fuse.Status
		asked   string
		payload string
	}{
		{"lookup", request(opLookup, "x"), fuse.OK, "lookup 5 x", "\x09"},
		{"name without end", request(opLookup, []byte("x")), fuse.EINVAL, "", ""},
		{"empty name", request(opLookup, ""), fuse.EINVAL, "", ""},
		{"no name", request(opLookup), fuse.EINVAL, "", ""},
		{"forget", request(opForget, uint64(3)), silence, "forget 5 3", ""},
		{"short forget", request(opForget), silence, "", ""},
		{"batch", request(opBatchForget, uint32(2), uint32(0), uint64(7), uint64(1), uint64(8), uint64(2)), silence, "forget 7 1; forget 8 2", ""},
		{"batch that promises more", request(opBatchForget, uint32(9), uint32(0), uint64(7), uint64(1)), silence, "forget 7 1", ""},
		{"short batch", request(opBatchForget, uint32(2)), silence, "", ""},
		{"reply to a notification", request(opNotifyReply), silence, "", ""},
		{"rename", request(opRename, uint64(6), "a", "b"), fuse.OK, "rename 5/a 6/b 0", ""},
		{"rename2", request(opRename2, uint64(6), uint32(2), uint32(0), "a", "b"), fuse.OK, "rename 5/a 6/b 2", ""},
		{"rename to nothing", request(opRename, uint64(6), "a"), fuse.EINVAL, "", ""},
		{"symlink", request(opSymlink, "name", "to"), fuse.OK, "symlink 5 name -> to", ""},
		{"mkdir", request(opMkdir, uint32(0o755), uint32(0o22), "d"), fuse.OK, "mkdir d 755 22", ""},
		{"short mkdir", request(opMkdir, uint32(0o755)), fuse.EINVAL, "", ""},
		{"readlink", request(opReadlink), fuse.OK, "", "target"},
		{"setxattr", request(opSetxattr, uint32(3), uint32(1), "user.a", []byte("abc")), fuse.OK, "setxattr user.a=abc 1 0", ""},
		{"setxattr that promises more", request(opSetxattr, uint32(4), uint32(1), "user.a", []byte("abc")), fuse.EINVAL, "", ""},
		{"getxattr size", request(opGetxattr, uint32(0), uint32(0), "user.a"), fuse.OK, "getxattr user.a 0", "\x05\x00\x00\x00\x00\x00\x00\x00"},
		{"getxattr", request(opGetxattr, uint32(99), uint32(0), "user.a"), fuse.OK, "getxattr user.a 99", "value"},
		{"more than fits", request(opListxattr, uint32(8), uint32(0)), fuse.EIO, "", ""},
		{"write that promises more", request(opWrite, uint64(0), uint64(10), uint32(9), uint32(0), uint64(0), uint64(0), []byte("abc")), fuse.EINVAL, "", ""},
		{"read", request(opRead, uint64(0), uint64(4), uint32(100), uint32(0), uint64(0), uint64(0)), fuse.OK, "read 4 100", "abc"},
		{"read too much", request(opRead, uint64(0), uint64(4), ^uint32(0), uint32(0), uint64(0), uint64(0)), fuse.EIO, "", ""},
		{"copy", request(opCopyFileRange, make([]byte, 40), uint64(1<<40), uint64(0)), fuse.OK, "copy 4294901760", "\x00\x00\xff\xff"},
		{"copy 64", request(opCopyFileRange64, make([]byte, 40), uint64(1<<40), uint64(0)), fuse.OK, "copy 1099511627776", "\x00\x00\x00\x00\x00\x01\x00\x00"},
		{"ioctl", request(opIoctl, make([]byte, 24), uint32(2), uint32(4), []byte("in")), fuse.OK, "ioctl in 4", ""},
		{"ioctl that promises more", request(opIoctl, make([]byte, 24), uint32(9), uint32(4), []byte("in")), fuse.EINVAL, "", ""},
		{"tmpfile", request(opTmpfile, uint32(0), uint32(0o600), uint32(0), uint32(0), "#1"), fuse.OK, "tmpfile 600", ""},
		{"interrupt", request(opInterrupt, uint64(4)), fuse.ENOSYS, "", ""},
		{"poll", request(opPoll, make([]byte, 24)), fuse.ENOSYS, "", ""},
		{"lock", request(opSetlkw, make([]byte, 48)), fuse.ENOSYS, "", ""},
		{"unknown", request(63), fuse.ENOSYS, "", ""},
		{"far unknown", request(1 << 30), fuse.ENOSYS, "", ""},
		{"panic", request(opAccess, uint64(0)), fuse.EIO, "", ""},
		{"odd errno", request(opStatfs), fuse.EIO, "", ""},
		{"negative errno", request(opSyncfs), fuse.EIO, "", ""},
		{"destroy", request(opDestroy), fuse.OK, "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fs := &recorder{}
			payload := newLine(t, fs, Options{}).want(test.request, test.code)
			if asked := fs.take(); asked != test.asked {
				t.Errorf("asked for %q, want %q", asked, test.asked)
			}
			if test.payload != "" && !strings.HasPrefix(string(payload), test.payload) {
				t.Errorf("payload %q, want %q", payload, test.payload)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	fs := &recorder{}
	l := newLine(t, fs, Options{})
	payload := l.want(request(opWrite, uint64(1), uint64(10), uint32(3), uint32(0), uint64(0), uint64(0), []byte("abcdef")), fuse.OK)
	if asked := fs.take(); asked != "write 10 abc" || structure[fuse.WriteOut](t, payload).Size != 3 {
		t.Errorf("asked for %q", asked)
	}
}

// TestShort: no opcode's handler sees less than its structure.
func TestShort(t *testing.T) {
	for opcode := uint32(0); opcode < maxOpcode; opcode++ {
		op := ops[opcode]
		for size := inHeaderSize; size < op.size; size++ {
			code := fuse.EINVAL
			switch {
			case op.silent:
				code = silence
			case op.serve == nil:
				code = fuse.ENOSYS
			}
			fs := &recorder{}
			newLine(t, fs, Options{}).want(request(opcode, make([]byte, size-inHeaderSize)), code)
			if fs.asked != nil {
				t.Errorf("%s of %d bytes asks for %q", op.name, size, fs.take())
			}
		}
	}
}

func TestLengths(t *testing.T) {
	fs := &recorder{}
	l := newLine(t, fs, Options{})
	for _, length := range []uint32{0, 1, uint32(inHeaderSize) - 1, 4000, 1 << 31} {
		r := request(opLookup, "x")
		header(r).Length = length
		l.want(r, fuse.EINVAL)
	}
	if reply := l.call.handle(make([]byte, inHeaderSize-1)); reply != nil {
		t.Errorf("half a header is answered with %q", reply)
	}
}

// TestExtensions: what follows the names of a creation isn't a name.
func TestExtensions(t *testing.T) {
	fs := &recorder{}
	l := newLine(t, fs, Options{})
	r := request(opMkdir, uint32(0o700), uint32(0), []byte("d\x00"), make([]byte, 16))
	header(r).TotalExtlen = 2
	l.want(r, fuse.OK)
	if asked := fs.take(); asked != "mkdir d 700 0" {
		t.Error(asked)
	}
	// The extension must not be what ends the name.
	r = request(opMkdir, uint32(0o700), uint32(0), []byte("d"), make([]byte, 16))
	header(r).TotalExtlen = 2
	l.want(r, fuse.EINVAL)
	header(r).TotalExtlen = 60000
	l.want(r, fuse.EINVAL)
}

func TestSetxattrExtended(t *testing.T) {
	fs := &recorder{}
	l := newLine(t, fs, Options{Want: fuse.CAP_SETXATTR_EXT})
	l.want(hello(38, fuse.CAP_SETXATTR_EXT), fuse.OK)
	l.want(request(opSetxattr, uint32(3), uint32(1), uint32(1), uint32(0), "user.a", []byte("abc")), fuse.OK)
	if asked := fs.take(); asked != "setxattr user.a=abc 1 1" {
		t.Error(asked)
	}
	l.want(request(opSetxattr, uint32(3), uint32(1), uint32(1)), fuse.EINVAL)
}

// TestPanic: the panic is logged once, with its stack, and the next request
// finds a server.
func TestPanic(t *testing.T) {
	l := newLine(t, &recorder{}, Options{})
	l.want(request(opAccess, uint64(0)), fuse.EIO)
	if len(l.logs) != 1 || !strings.Contains(l.logs[0], "ACCESS") || !strings.Contains(l.logs[0], "request_test.go") {
		t.Errorf("log: %q", l.logs)
	}
	l.want(request(opLookup, "x"), fuse.OK)
}

// TestNoLeak: a reply carries nothing of the one before.
func TestNoLeak(t *testing.T) {
	l := newLine(t, &recorder{}, Options{})
	for i := range l.call.out {
		l.call.out[i] = 0xee
	}
	payload := l.want(request(opLookup, "x"), fuse.OK)
	if bytes.IndexByte(payload, 0xee) >= 0 {
		t.Error("LOOKUP's reply has bytes of an earlier one")
	}
	payload = l.want(request(opIoctl, make([]byte, 24), uint32(0), uint32(64)), fuse.OK)
	if bytes.IndexByte(payload, 0xee) >= 0 {
		t.Error("IOCTL's reply has bytes of an earlier one")
	}
}

func TestDebug(t *testing.T) {
	var lines []string
	l := newLine(t, &recorder{}, Options{Debug: func(s string) { lines = append(lines, s) }})
	l.want(request(opRename, uint64(6), "old", "new"), fuse.OK)
	l.want(request(opInterrupt, uint64(6)), fuse.ENOSYS)
	got := strings.Join(lines, "\n")
	for _, want := range []string{`-> 154 RENAME node 5 "old" "new"`, "<- 154 RENAME: OK", "<- 154 INTERRUPT: ENOSYS"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestStats(t *testing.T) {
	l := newLine(t, &recorder{}, Options{})
	l.want(request(opLookup, "x"), fuse.OK)
	l.want(request(opAccess, uint64(0)), fuse.EIO)
	l.s.pool.past.add(&l.call.counts)
	table := l.s.Stats().String()
	for _, want := range []string{"LOOKUP                        1          0", "ACCESS                        1          1"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in:\n%s", want, table)
		}
	}
}
