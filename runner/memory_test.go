package runner

import "testing"

var ballast []byte

func TestAllocated(t *testing.T) {
	before := allocated()
	ballast = make([]byte, 8<<20)
	if got := allocated() - before; got < 8<<20 || got > 64<<20 {
		t.Errorf("8 MiB were allocated, and %d bytes are seen", got)
	}
	ballast = nil
}
