package transport

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// overUring has a test program's mounts use io_uring, and fail without it.
const overUring = "TRANSPORT_TEST_URING"

// TestOverUring runs the other tests over io_uring.
func TestOverUring(t *testing.T) {
	if os.Getenv(overUring) != "" {
		t.Skip("this is the program that it started")
	}
	fstest.NeedFUSE(t)
	fstest.NeedUring(t)
	cmd := exec.Command(os.Args[0], "-test.count=1", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), overUring+"=1")
	done := make(chan error, 1)
	var out []byte
	go func() {
		var err error
		out, err = cmd.CombinedOutput()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("over io_uring: %v\n%s", err, out)
		}
	case <-time.After(6 * time.Minute):
		// One that waits for a mount of its own can't even be killed.
		t.Fatal("the tests over io_uring don't end")
	}
}

// TestUringWaiters: one who asks on the processor of many whose requests are stuck
// doesn't wait for them.
func TestUringWaiters(t *testing.T) {
	if os.Getenv(overUring) == "" {
		fstest.NeedFUSE(t)
		fstest.NeedUring(t)
	}
	const many = 50
	fs := newFlat()
	m := mountFlatOver(t, fs, true)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(fs.release)
	for i := range int32(many) {
		wg.Go(func() {
			onProcessor(t, 0)
			_ = statAlone(m.path + "/block")
		})
		within(t, patience, "the request is being handled", func() bool { return fs.blocked.Load() > i })
		m.awaitReaders(t)
	}
	quick := make(chan error, 1)
	wg.Go(func() {
		onProcessor(t, 0)
		quick <- statPath(m.path + "/plain")
	})
	select {
	case err := <-quick:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Errorf("a quick request waits beside %d that are stuck", many)
	}
}

// awaitReaders waits until readers wait on every processor: they are threads, which a
// busy machine takes its time to start.
func (m *mounted) awaitReaders(t *testing.T) {
	t.Helper()
	within(t, patience, "readers wait", func() bool {
		for i := range m.server.queues.waiting {
			if m.server.queues.waiting[i].Load() == 0 {
				return false
			}
		}
		return true
	})
}

// onProcessor keeps the calling goroutine's thread on a processor; both end
// together.
func onProcessor(t *testing.T, n int) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(n)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Errorf("processor %d: %v", n, err)
	}
}

// TestUringRequest: requests of every size are put together whole, and leave the
// reply its place; what contradicts itself is no more than a header.
func TestUringRequest(t *testing.T) {
	s := NewServer(&Device{fd: -1}, nothing{}, Options{})
	r := newUringReader(s, 0, nil)
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		structure := 8 * random.IntN(17)
		payload := random.IntN(2 * uringSideIn)
		if random.IntN(10) == 0 {
			payload = random.IntN(len(r.buf) - uringFront + 1)
		}
		want := make([]byte, inHeaderSize+structure+payload)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		(*fuse.InHeader)(unsafe.Pointer(&want[0])).Length = uint32(len(want))
		copy(r.headers.inOut[:], want[:inHeaderSize])
		copy(r.headers.op[:], want[inHeaderSize:inHeaderSize+structure])
		copy(r.buf[uringFront:], want[inHeaderSize+structure:])
		r.headers.size = uint32(payload)
		got := r.request()
		// The reply's header and structure are written before all was read.
		clear(r.call.out[:outHeaderSize+128])
		if string(got) != string(want) {
			t.Fatalf("a request of %d + %d + %d bytes is damaged", inHeaderSize, structure, payload)
		}
		if direct := &r.call.out[outHeaderSize] == &r.buf[uringFront]; !direct && payload < uringSideIn/2 {
			t.Fatalf("the reply to %d bytes is copied", payload)
		}
	}
	for _, bad := range []struct{ length, size uint32 }{{0, 0}, {10, 5}, {40, 41}, {1 << 31, 1 << 31}, {400, 0}, {1 << 30, 1<<30 - 48}} {
		(*fuse.InHeader)(unsafe.Pointer(r.headers)).Length = bad.length
		r.headers.size = bad.size
		if got := r.request(); len(got) != inHeaderSize {
			t.Errorf("length %d, payload %d: %d bytes", bad.length, bad.size, len(got))
		}
		r.answer() // refuses it
	}
}
