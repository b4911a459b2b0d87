package transport

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestServe(t *testing.T) {
	fs := newFlat()
	m := mountFlat(t, fs)
	if got, err := readPath(m.path + "/plain"); err != nil || got != "hello, world\n" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := statPath(m.path + "/none"); err != unix.ENOENT {
		t.Errorf("a name that isn't there: %v", err)
	}
	if names := list(t, m.path); strings.Join(names, " ") != strings.Join(flatNames, " ") {
		t.Errorf("names %q", names)
	}
	if err := statPath(m.path + "/panic"); err != unix.EIO {
		t.Errorf("a handler's panic: %v, want EIO", err)
	}
	if line := <-m.logs; !strings.Contains(line, "asked for it") {
		t.Errorf("log %q", line)
	}
	if err := Unmount(m.path); err != nil {
		t.Fatal(err)
	}
	if err := <-m.done; err != nil {
		t.Errorf("Serve after an unmount: %v", err)
	}
	if n := fs.destroyed.Load(); n != 1 {
		t.Errorf("Destroy was called %d times", n)
	}
	if st := m.server.Stats(); st.Readers != 0 || st.Hot != 0 {
		t.Errorf("readers left:\n%v", st)
	}
}

func list(t *testing.T, path string) []string {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	buf := make([]byte, 4096)
	n, err := unix.ReadDirent(fd, buf)
	if err != nil {
		t.Fatal(err)
	}
	_, _, names := unix.ParseDirent(buf[:n], -1, nil)
	return names
}

// TestLargeWrite: a write and a read of many MaxWrites.
func TestLargeWrite(t *testing.T) {
	fs := newFlat()
	m := mountFlat(t, fs)
	fd, err := unix.Open(m.path+"/plain", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	data := make([]byte, 5<<20+123)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	if n, err := unix.Pwrite(fd, data, 7); n != len(data) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	got := make([]byte, len(data))
	for n := 0; n < len(got); {
		k, err := unix.Pread(fd, got[n:], int64(7+n))
		if k <= 0 || err != nil {
			t.Fatalf("read %d, %v", k, err)
		}
		n += k
	}
	if string(got) != string(data) {
		t.Error("not what was written")
	}
}

func TestBusy(t *testing.T) {
	m := mountFlat(t, newFlat())
	fd, err := unix.Open(m.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = Unmount(m.path)
	if err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("unmounting what is in use: %v", err)
	}
	if !isMounted(t, m.path) {
		t.Error("it was unmounted all the same")
	}
	if err := UnmountLazy(m.path); err != nil {
		t.Fatal(err)
	}
	if isMounted(t, m.path) {
		t.Error("still mounted")
	}
	select {
	case <-m.ended:
		t.Error("Serve ended although a user is left")
	case <-time.After(50 * time.Millisecond):
	}
	_ = unix.Close(fd)
	<-m.ended
}

// TestHandedDescriptor: a descriptor that somebody else has mounted.
func TestHandedDescriptor(t *testing.T) {
	m := mountFlatUnserved(t)
	d, err := FromFD(m.dev.FD())
	if err != nil {
		t.Fatal(err)
	}
	if flags, err := unix.FcntlInt(uintptr(d.FD()), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v: not closed at exec", flags, err)
	}
	m.dev.Close()
	fs := newFlat()
	s := serve(d, m.path, fs, false)
	if err := statPath(m.path + "/plain"); err != nil {
		t.Error(err)
	}
	d.Close() // which waits for the end
	if err := statPath(m.path + "/plain"); err != nil {
		t.Error(err)
	}
	if err := Unmount(m.path); err != nil {
		t.Error(err)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if d.FD() >= 0 {
		t.Error("the descriptor is open")
	}
}

func TestForeignDescriptor(t *testing.T) {
	if _, err := FromFD(1 << 20); err == nil {
		t.Error("a descriptor that isn't open is taken")
	}
	null, err := os.Open("/dev/fuse")
	if err != nil {
		t.Skip("needs a readable /dev/fuse: ", err)
	}
	defer func() { _ = null.Close() }()
	d, err := FromFD(int(null.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	fs := newFlat()
	if err := NewServer(d, fs, Options{}).Serve(); err == nil {
		t.Error("served a descriptor that isn't mounted")
	}
	if fs.destroyed.Load() != 1 {
		t.Error("Destroy wasn't called")
	}
	d.Close()
}

// TestNotify: the kernel asks again for what it was told to forget.
func TestNotify(t *testing.T) {
	fs := newFlat()
	m := mountFlat(t, fs)
	if err := statPath(m.path + "/plain"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"entry":        m.server.NotifyInvalEntry(1, "plain"),
		"unknown":      m.server.NotifyInvalEntry(1, "nobody knows this"),
		"inode":        m.server.NotifyInvalInode(firstNode, 0, 0),
		"unknown node": m.server.NotifyInvalInode(4711, 0, 0),
		"delete":       m.server.NotifyDelete(1, firstNode, "plain"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestConcurrent: clients at once, which may make readers and unmake them.
func TestConcurrent(t *testing.T) {
	m := mountFlat(t, newFlat())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if err := statPath(m.path + "/plain"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
