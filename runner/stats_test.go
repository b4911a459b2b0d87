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
