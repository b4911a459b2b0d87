package runner

import "testing"

func TestTraffic(t *testing.T) {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     999      12    0    0    0     0          0         0      999      12    0    0    0     0       0          0
  eth0:1024      10    0    0    0     0          0         0      512       4    0    0    0     0       0          0
  tap0:      1       1    0    0    0     0          0         0        2       1    0    0    0     0       0          0
`
	if received, sent := trafficOf(text); received != 1025 || sent != 514 {
		t.Errorf("%d, %d", received, sent)
	}
	if received, sent := trafficOf("eth0: 1"); received != 0 || sent != 0 {
		t.Errorf("half a line: %d, %d", received, sent)
	}
}

// Without a cgroup its processes are counted: their memory, and the time that they
// and the children which they have waited for took.
func TestCountedStats(t *testing.T) {
	const stat = "7 (a) (b) S 1 7 7 0 -1 4194304 100 200 0 0 10 20 30 40 20 0 1 0 5 1 1"
	if nanos := processorTime(stat); nanos != 1e9 {
		t.Errorf("%d ns, want 1 s", nanos)
	}
	if nanos := processorTime("7 (a) S 1"); nanos != 0 {
		t.Errorf("half a line: %d ns", nanos)
	}
	if bytes := residentIn("5581-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  900 kB\nPss:  12 kB\n"); bytes != 12<<10 {
		t.Errorf("%d bytes, want 12 KiB", bytes)
	}
}
