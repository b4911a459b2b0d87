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
	// What a busy machine adds is now more and now less; a reader that is missing is
	// missing each time.
	var seen []time.Duration
	for round := range int32(20) {
		slow := make(chan struct{})
		go func() {
			defer close(slow)
			_ = statAlone(m.path + "/slow")
		}()
		within(t, patience, "a slow request", func() bool { return fs.slow.Load() > round })
		longest, _ := waits(t, m.path+"/plain", 100)
		before := true
		select {
		case <-slow:
			before = false
		default:
		}
		<-slow
		if before && longest < fs.slowness/2 {
			t.Logf("the longest quick request took %v", longest)
			return
		}
		seen = append(seen, longest)
	}
	t.Errorf("quick requests took up to %v beside slow ones of %v", seen, fs.slowness)
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
			within(t, patience, "the request is being handled", func() bool { return fs.blocked.Load() > i })
			m.awaitReaders(t)
		}
	}
	begin := time.Now()
	within(t, patience, "all requests are being handled", func() bool { return fs.blocked.Load() == many })
	t.Logf("%d blocked after %v\n%v", many, time.Since(begin), m.server.Stats())
	within(t, patience, "200 requests take less than a second each", func() bool {
		longest, all := waits(t, m.path+"/plain", 200)
		t.Logf("200 requests took %v, the longest %v", all, longest)
		return longest < time.Second
	})
	release()
	wg.Wait()
	within(t, patience, "few readers are left", func() bool {
		waits(t, m.path+"/plain", 20)
		st := m.server.Stats()
		return st.Readers <= 1+1+maxSpares && st.Hot <= 2
	})
	within(t, patience, "one hot reader is left", func() bool {
		time.Sleep(20 * time.Millisecond) // the watchdog rests
		waits(t, m.path+"/plain", 2)
		return m.server.Stats().Hot == 1
	})
	// The clients' own threads stay, since Go keeps them: one each.
	most := before + many + 20
	if os.Getenv(overUring) != "" {
		most += many // readers of queues stay, since none can be taken back
	}
	t.Logf("%d threads before, %d after, and at most %d are to be", before, threads(t), most)
	within(t, patience, "threads have ended", func() bool { return threads(t) <= most })
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
	within(t, patience, "the watchdog sleeps", func() bool { return m.server.dog.asleep.Load() })
	before := m.server.Stats().String()
	time.Sleep(100 * time.Millisecond)
	// Others on the machine may ask: who looks at all mounts, for one.
	if after := m.server.Stats().String(); !m.server.dog.asleep.Load() && after == before {
		t.Errorf("the watchdog woke up without a request:\n%s", after)
	}
	waits(t, m.path+"/plain", 1)
	within(t, patience, "the watchdog sleeps again", func() bool { return m.server.dog.asleep.Load() })
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
