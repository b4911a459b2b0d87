package transport

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lingering is a reader with a pipe in place of a connection, and the pipe's
// other end.
func lingering(t *testing.T) (r *reader, request int) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, fd := range pipe {
			_ = unix.Close(fd)
		}
	})
	s := &Server{}
	s.linger.fd = pipe[0]
	return &reader{s: s, in: make([]byte, 8)}, pipe[1]
}

// TestLinger: a request that comes soon is found without sleeping; vain waits
// become rare, and one that pays makes them frequent again.
func TestLinger(t *testing.T) {
	r, request := lingering(t)
	l := &r.s.linger
	begin := time.Now()
	for i, want := range []int{1, 3, 7, 15, 31, mostSkips, mostSkips} {
		if _, ok := l.next(r); ok {
			t.Fatal("a request where there is none")
		}
		// Somebody else may have had the processor, which skips more at once.
		if r.skip != want && r.skip != mostSkips {
			t.Fatalf("%d requests without after %d vain waits, want %d", r.skip, i+1, want)
		}
		for r.skip > 0 {
			if _, ok := l.next(r); ok {
				t.Fatal("lingered too early")
			}
		}
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("7 vain waits took %v", took)
	}
	if _, err := unix.Write(request, []byte("request")); err != nil {
		t.Fatal(err)
	}
	if n, ok := l.next(r); !ok || n != 7 {
		t.Fatalf("%d bytes, %v", n, ok)
	}
	if _, ok := l.next(r); ok || r.skip != 1 && r.skip != mostSkips {
		t.Errorf("%d requests without after one vain wait", r.skip)
	}
}

// TestLingerAlone: only one reader does.
func TestLingerAlone(t *testing.T) {
	r, request := lingering(t)
	if _, err := unix.Write(request, []byte("request")); err != nil {
		t.Fatal(err)
	}
	r.s.linger.taken.Store(true)
	if _, ok := r.s.linger.next(r); ok {
		t.Error("two readers linger")
	}
	r.s.linger.taken.Store(false)
	if n, ok := r.s.linger.next(r); !ok || n != 7 {
		t.Errorf("%d bytes, %v", n, ok)
	}
}

// TestLingerEnds: other errors than having to wait are left to the read that
// waits.
func TestLingerEnds(t *testing.T) {
	r, _ := lingering(t)
	r.s.linger.fd = -1
	if _, ok := r.s.linger.next(r); ok || r.skip != 0 {
		t.Error("lingered without a descriptor")
	}
	r.s.linger.fd = 1 << 20 // EBADF
	if _, ok := r.s.linger.next(r); ok {
		t.Error("a request from nowhere")
	}
}
