package transport

import (
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// waits measures stat on path n times, and answers the longest.
func waits(t *testing.T, path string, n int) (longest, all time.Duration) {
	t.Helper()
	for range n {
		begin := time.Now()
		if err := statPath(path); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		all += took
		longest = max(longest, took)
	}
	return longest, all
}

// TestSlowHandler: others don't wait for it.
func TestSlowHandler(t *testing.T) {
	fs := newFlat()
	m := mountFlat(t, fs)
	slow := make(chan time.Duration)
	go func() {
		begin := time.Now()
		_ = statPath(m.path + "/slow")
		slow <- time.Since(begin)
	}()
	within(t, 5*time.Second, "a slow request", func() bool { return m.calls("GETATTR") > 0 || len(slow) > 0 })
	longest, _ := waits(t, m.path+"/plain", 100)
	select {
	case took := <-slow:
		t.Fatalf("the slow request was over after %v, before the quick ones", took)
	default:
	}
	// A tick or two, and what a busy machine adds.
	if longest > fs.slowness/2 {
		t.Errorf("a quick request took %v beside a slow one", longest)
	}
	t.Logf("the longest quick request took %v", longest)
	<-slow
}

func (m *mounted) calls(op string) uint64 {
	for _, o := range m.server.Stats().Ops {
		if o.Name == op {
			return o.Calls
		}
	}
	return 0
}

// TestBlockedHandlers: with a hundred of them there still is service, and
// afterwards no crowd of readers and threads is left.
func TestBlockedHandlers(t *testing.T) {
	const many = 100
	fs := newFlat()
	m := mountFlat(t, fs)
	before := threads(t)
	release := sync.OnceFunc(func() { close(fs.release) })
	defer release() // whatever happens: nobody could unmount
	var wg sync.WaitGroup
	for i := range int32(many) {
		wg.Go(func() { _ = statAlone(m.path + "/block") })
		if os.Getenv(overUring) != "" { // what is asked at once may wait there
			within(t, 5*time.Second, "the request is being handled", func() bool { return fs.blocked.Load() > i })
			m.awaitReaders(t)
		}
	}
	begin := time.Now()
	within(t, 10*time.Second, "all requests are being handled", func() bool { return fs.blocked.Load() == many })
	t.Logf("%d blocked after %v\n%v", many, time.Since(begin), m.server.Stats())
	longest, all := waits(t, m.path+"/plain", 200)
	if longest > time.Second {
		t.Errorf("a quick request took %v", longest)
	}
	t.Logf("200 requests took %v, the longest %v", all, longest)
	release()
	wg.Wait()
	within(t, 5*time.Second, "few readers are left", func() bool {
		waits(t, m.path+"/plain", 20)
		st := m.server.Stats()
		return st.Readers <= 1+1+maxSpares && st.Hot <= 2
	})
	within(t, 5*time.Second, "one hot reader is left", func() bool {
		time.Sleep(20 * time.Millisecond) // the watchdog rests
		waits(t, m.path+"/plain", 2)
		return m.server.Stats().Hot == 1
	})
	// The clients' own threads stay, since Go keeps them: one each.
	most := before + many + 20
	if os.Getenv(overUring) != "" {
		most += many // readers of queues stay, since none can be taken back
	}
	if after := threads(t); after > most {
		t.Errorf("%d threads before, %d after", before, after)
	}
}

// statAlone is a request that waits for nobody else's: two lookups of one name
// in the kernel are one.
func statAlone(path string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstatat(fd, "", &st, unix.AT_EMPTY_PATH)
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// TestIdle: without requests nothing wakes up.
func TestIdle(t *testing.T) {
	m := mountFlat(t, newFlat())
	waits(t, m.path+"/plain", 10)
	within(t, 5*time.Second, "the watchdog sleeps", func() bool { return m.server.dog.asleep.Load() })
	before := m.server.Stats().String()
	time.Sleep(100 * time.Millisecond)
	// Others on the machine may ask: who looks at all mounts, for one.
	if after := m.server.Stats().String(); !m.server.dog.asleep.Load() && after == before {
		t.Errorf("the watchdog woke up without a request:\n%s", after)
	}
	waits(t, m.path+"/plain", 1)
	within(t, 5*time.Second, "the watchdog sleeps again", func() bool { return m.server.dog.asleep.Load() })
}

// TestBacklog: measure draws the conclusions that its constants promise.
func TestBacklog(t *testing.T) {
	d := &watchdog{base: 1}
	for range backlogTicks {
		d.measure(true, false)
	}
	if want := min(mostHot(), 2); d.base != want {
		t.Errorf("%d hot readers after a backlog, want %d", d.base, want)
	}
	for range calmTicks {
		d.measure(false, false)
	}
	if d.base != 1 {
		t.Errorf("%d hot readers in calm", d.base)
	}
	d.measure(true, true)
	d.measure(true, true)
	if d.burst != 3 || d.alert != alertTicks {
		t.Errorf("burst %d, alert %d", d.burst, d.alert)
	}
	d.measure(false, false)
	if d.burst != 0 || d.alert != alertTicks-1 {
		t.Errorf("burst %d, alert %d", d.burst, d.alert)
	}
}
