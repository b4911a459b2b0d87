package runner

import "testing"

var kept []byte

func TestAllocated(t *testing.T) {
	before := allocated()
	kept = make([]byte, 8<<20)
	if got := allocated() - before; got < 8<<20 || got > 64<<20 {
		t.Errorf("8 MiB were allocated, and %d bytes are seen", got)
	}
	kept = nil
}
