package transport

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// request makes a request as the kernel would: a header and the parts, which
// are numbers of their size, strings (zero-terminated) or bytes.
func request(opcode uint32, parts ...any) []byte {
	b := make([]byte, inHeaderSize)
	for _, part := range parts {
		switch p := part.(type) {
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			b = append(b, p...)
		default:
			b, _ = binary.Append(b, binary.NativeEndian, p)
		}
	}
	h := header(b)
	h.Length, h.Opcode, h.Unique, h.NodeId = uint32(len(b)), opcode, 77<<1, 5
	return b
}

func header(b []byte) *fuse.InHeader { return (*fuse.InHeader)(unsafe.Pointer(&b[0])) }

// structure is the reply's or a request's payload as T.
func structure[T any](t *testing.T, b []byte) *T {
	t.Helper()
	if len(b) < sizeOf[T]() {
		t.Fatalf("%d bytes, want at least %d", len(b), sizeOf[T]())
	}
	return (*T)(unsafe.Pointer(&b[0]))
}

// line is a server without a kernel.
type line struct {
	t    *testing.T
	s    *Server
	call *call
	logs []string
}

func newLine(t *testing.T, fs FileSystem, o Options) *line {
	l := &line{t: t}
	o.Log = func(s string) { l.logs = append(l.logs, s) }
	l.s = NewServer(&Device{fd: -1}, fs, o)
	l.call = &newReader(l.s).call
	return l
}

// ask answers the reply's status and payload, and checks its form.
func (l *line) ask(request []byte) (fuse.Status, []byte) {
	l.t.Helper()
	reply := l.call.handle(request)
	if err := wellFormed(request, reply); err != nil {
		l.t.Fatal(err)
	}
	if len(reply) == 0 {
		return -1, nil
	}
	h := (*fuse.OutHeader)(unsafe.Pointer(&reply[0]))
	return fuse.Status(-h.Status), reply[outHeaderSize:]
}

// wellFormed checks what fuse_dev_do_write checks.
func wellFormed(request, reply []byte) error {
	if len(reply) == 0 {
		return nil
	}
	h := (*fuse.OutHeader)(unsafe.Pointer(&reply[0]))
	switch {
	case int(h.Length) != len(reply):
		return fmt.Errorf("reply of %d bytes says %d", len(reply), h.Length)
	case h.Status > 0 || h.Status <= -errnoLimit:
		return fmt.Errorf("reply with errno %d", h.Status)
	case h.Status != 0 && len(reply) > outHeaderSize:
		return fmt.Errorf("error %d with a payload", h.Status)
	case h.Unique != header(request).Unique:
		return fmt.Errorf("reply to %d for request %d", h.Unique, header(request).Unique)
	}
	return nil
}

func (l *line) want(request []byte, code fuse.Status) []byte {
	l.t.Helper()
	got, payload := l.ask(request)
	if got != code {
		l.t.Fatalf("%s: %v, want %v", opName(header(request).Opcode), got, code)
	}
	return payload
}

const silence fuse.Status = -1

// recorder is a FileSystem that notes what it is asked.
type recorder struct {
	nothing
	asked []string
}

func (r *recorder) note(format string, args ...any) fuse.Status {
	r.asked = append(r.asked, fmt.Sprintf(format, args...))
	return fuse.OK
}

func (r *recorder) take() string {
	s := strings.Join(r.asked, "; ")
	r.asked = nil
	return s
}

func (r *recorder) Lookup(in *fuse.InHeader, name []byte, out *fuse.EntryOut) fuse.Status {
	out.NodeId = 9
	return r.note("lookup %d %s", in.NodeId, name)
}
func (r *recorder) Forget(node, lookups uint64) { r.note("forget %d %d", node, lookups) }
func (r *recorder) Rename(in *fuse.RenameIn, from, to []byte) fuse.Status {
	return r.note("rename %d/%s %d/%s %d", in.NodeId, from, in.Newdir, to, in.Flags)
}
func (r *recorder) Symlink(in *fuse.InHeader, target, name []byte, _ *fuse.EntryOut) fuse.Status {
	return r.note("symlink %d %s -> %s", in.NodeId, name, target)
}
func (r *recorder) Mkdir(in *fuse.MkdirIn, name []byte, _ *fuse.EntryOut) fuse.Status {
	return r.note("mkdir %s %o %o", name, in.Mode, in.Umask)
}
func (r *recorder) SetXAttr(in *fuse.SetXAttrIn, name, value []byte) fuse.Status {
	return r.note("setxattr %s=%s %d %d", name, value, in.Flags, in.SetXAttrFlags)
}
func (r *recorder) GetXAttr(_ *fuse.InHeader, name, buf []byte) (int, fuse.Status) {
	r.note("getxattr %s %d", name, len(buf))
	if len(buf) == 0 {
		return 5, fuse.OK
	}
	return copy(buf, "value"), fuse.OK
}
func (r *recorder) ListXAttr(_ *fuse.InHeader, buf []byte) (int, fuse.Status) {
	return 1 << 20, fuse.OK // more than there is room for
}
func (r *recorder) Write(in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	return uint32(len(data)), r.note("write %d %s", in.Offset, data)
}
func (r *recorder) Read(in *fuse.ReadIn, buf []byte) (int, fuse.Status) {
	return copy(buf, "abc"), r.note("read %d %d", in.Offset, len(buf))
}
func (r *recorder) CopyFileRange(in *fuse.CopyFileRangeIn) (uint64, fuse.Status) {
	return in.Len, r.note("copy %d", in.Len)
}
func (r *recorder) Readlink(*fuse.InHeader) ([]byte, fuse.Status) { return []byte("target"), fuse.OK }
func (r *recorder) Ioctl(in *fuse.IoctlIn, given []byte, _ *fuse.IoctlOut, out []byte) fuse.Status {
	copy(out, "out")
	return r.note("ioctl %s %d", given, len(out))
}
func (r *recorder) Tmpfile(in *fuse.CreateIn, out *fuse.CreateOut) fuse.Status {
	return r.note("tmpfile %o", in.Mode)
}
func (r *recorder) Access(*fuse.AccessIn) fuse.Status                  { panic("access") }
func (r *recorder) StatFs(*fuse.InHeader, *fuse.StatfsOut) fuse.Status { return 4711 }
func (r *recorder) SyncFs(*fuse.InHeader) fuse.Status                  { return -5 }
