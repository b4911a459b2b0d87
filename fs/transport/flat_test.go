package transport

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// flat is a FileSystem of one directory whose files' names say what happens:
// "plain" is a file that is nothing more, asking for the attributes of "slow"
// takes slowness, of "block" until release is closed, of "panic" panics.
// Nothing is cached, so that each question is a request.
type flat struct {
	nothing
	slowness  time.Duration
	release   chan struct{}
	blocked   atomic.Int32
	slow      atomic.Int32 // requests that were or are slow
	destroyed atomic.Int32

	mu   sync.Mutex
	data []byte // of "plain"
}

var flatNames = []string{"plain", "slow", "block", "panic"}

const firstNode = 2 // of flatNames; the root is 1

func newFlat() *flat {
	return &flat{slowness: 300 * time.Millisecond, release: make(chan struct{}), data: []byte("hello, world\n")}
}

func (f *flat) attr(node uint64, a *fuse.Attr) {
	a.Ino, a.Nlink, a.Blksize = node, 1, 4096
	a.Mode = unix.S_IFREG | 0o666
	if node == fuse.FUSE_ROOT_ID {
		a.Mode = unix.S_IFDIR | 0o777
		a.Nlink = 2
		return
	}
	f.mu.Lock()
	a.Size = uint64(len(f.data))
	f.mu.Unlock()
}

func (f *flat) Lookup(in *fuse.InHeader, name []byte, out *fuse.EntryOut) fuse.Status {
	for i, n := range flatNames {
		if n == string(name) {
			out.NodeId = uint64(firstNode + i)
			f.attr(out.NodeId, &out.Attr)
			return fuse.OK
		}
	}
	return fuse.ENOENT
}

func (f *flat) GetAttr(in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	if in.NodeId >= firstNode {
		switch flatNames[in.NodeId-firstNode] {
		case "slow":
			f.slow.Add(1)
			time.Sleep(f.slowness)
		case "block":
			f.blocked.Add(1)
			<-f.release
			f.blocked.Add(-1)
		case "panic":
			panic("asked for it")
		}
	}
	if in.NodeId == fuse.FUSE_ROOT_ID {
		out.SetTimeout(time.Hour) // default_permissions asks for it at each step
	}
	f.attr(in.NodeId, &out.Attr)
	return fuse.OK
}

func (f *flat) SetAttr(in *fuse.SetAttrIn, out *fuse.AttrOut) fuse.Status {
	if size, ok := in.GetSize(); ok {
		f.mu.Lock()
		f.data = append(f.data[:0:0], make([]byte, size)...)
		f.mu.Unlock()
	}
	f.attr(in.NodeId, &out.Attr)
	return fuse.OK
}

func (f *flat) Read(in *fuse.ReadIn, buf []byte) (int, fuse.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.Offset >= uint64(len(f.data)) {
		return 0, fuse.OK
	}
	return copy(buf, f.data[in.Offset:]), fuse.OK
}

func (f *flat) Write(in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end := int(in.Offset) + len(data); end > len(f.data) {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	return uint32(copy(f.data[in.Offset:], data)), fuse.OK
}

func (f *flat) ReadDirPlus(in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	for i := int(in.Offset); i < len(flatNames); i++ {
		node := uint64(firstNode + i)
		entry := out.AddDirLookupEntry(fuse.DirEntry{Name: flatNames[i], Ino: node, Mode: unix.S_IFREG, Off: uint64(i + 1)})
		if entry == nil {
			break
		}
		entry.NodeId = node
		f.attr(node, &entry.Attr)
	}
	return fuse.OK
}

func (f *flat) Destroy() { f.destroyed.Add(1) }
