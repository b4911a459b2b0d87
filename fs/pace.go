package fs

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// Garbage may by default be as much as what is in use, which for a server that
// knows a million files is some hundred megabytes. A big heap here is one that
// hardly changes, so it may as well be collected earlier.

const (
	// freeGarbage is how much garbage there may be whatever the heap.
	freeGarbage = 64 << 20
	// usualPercent and leastPercent bound garbage in percent of what is in use.
	usualPercent, leastPercent = 100, 25
)

// paceCollector holds for the whole process, unless the user has a wish of his
// own (GOGC).
var paceCollector = sync.OnceFunc(func() {
	if os.Getenv("GOGC") == "" {
		pace()
	}
})

// paced is what was set last; one pace follows the other.
var paced = usualPercent

// pace runs after each collection: what it leaves is garbage for the next one.
func pace() {
	if percent := percentFor(liveBytes()); percent != paced {
		debug.SetGCPercent(percent)
		paced = percent
	}
	runtime.AddCleanup(new([16]byte), func(struct{}) { pace() }, struct{}{})
}

func percentFor(live uint64) int {
	if live <= freeGarbage {
		return usualPercent
	}
	return max(leastPercent, int(freeGarbage*100/live))
}

func liveBytes() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
