package fs

import "testing"

func TestPercentFor(t *testing.T) {
	for _, c := range []struct {
		live uint64
		want int
	}{{0, 100}, {freeGarbage, 100}, {2 * freeGarbage, 50}, {4 * freeGarbage, 25}, {1 << 40, 25}} {
		if got := percentFor(c.live); got != c.want {
			t.Errorf("%d%% with %d bytes in use, want %d%%", got, c.live, c.want)
		}
	}
	if liveBytes() == 0 {
		t.Log("nothing was collected yet")
	}
}
