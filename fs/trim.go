package fs

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// trimAfter is how many inodes must leave before memory is given back:
	// some ten megabytes.
	trimAfter = 1 << 15
	// trimDelay lets a burst of FORGETs end first.
	trimDelay = time.Second
)

// trimmer gives memory back to the system after the kernel has dropped its
// caches: a server that then has nothing to do would never collect garbage.
type trimmer struct {
	gone    atomic.Int64
	pending atomic.Bool
}

// count tells of an inode that has left.
func (t *trimmer) count() {
	if t.gone.Add(1) >= trimAfter && t.pending.CompareAndSwap(false, true) {
		time.AfterFunc(trimDelay, t.trim)
	}
}

func (t *trimmer) trim() {
	t.gone.Store(0)
	t.pending.Store(false)
	debug.FreeOSMemory()
}
