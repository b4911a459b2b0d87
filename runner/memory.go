package runner

import (
	"context"
	"runtime/metrics"
	"time"

	"unionfs/runner/sandbox"
)

const (
	// memoryLook is how often is looked whether a monitor is at rest.
	memoryLook = 5 * time.Second
	// restBytes is what is allocated at most between two looks at rest, and
	// worthBytes what must have been since memory was given back last.
	restBytes, worthBytes = 256 << 10, 2 << 20
)

// giveMemoryBack gives memory back to the machine when the container has been
// busy, and is at rest: a monitor that has nothing to do collects no garbage for
// minutes, and most containers rest most of the time.
func giveMemoryBack(ctx context.Context) {
	look := time.NewTicker(memoryLook)
	defer look.Stop()
	before, given := uint64(0), uint64(0) // as much as the start took is worth it
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		now := allocated()
		if now-before < restBytes && now-given > worthBytes {
			sandbox.GiveMemoryBack()
			given = now
		}
		before = now
	}
}

// allocated is how many bytes this process has allocated, ever.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
