package registry

import (
	"sync/atomic"

	"unionfs/layerstore"
)

// Progress is told of what happens to each blob. It is called from several
// goroutines at once, and what it does holds them up.
type Progress func(Event)

// Event is one thing that happened.
type Event struct {
	Step Step
	// Blob is what it happened to; the manifest's digest for Resolved, and
	// the DiffID of a layer that comes out of an archive uncompressed.
	Blob layerstore.Digest
	// Size is how big it is, and Done how much of that moved; it may go back
	// when a transfer begins anew.
	Size, Done int64
	// Err is why another try is made, for Retrying.
	Err error
	// From is the host or the archive, for Resolved.
	From string
}

// Step says what happened.
type Step int

// The steps of a blob. It ends by Finished or Exists, or with the call's error.
const (
	Resolved  Step = iota // the image was found; its blobs follow
	Begun                 // its transfer begins
	Moved                 // more of it moved
	Retrying              // its transfer failed and is tried again
	Unpacking             // all of it is here
	Finished              // it is where it should be
	Exists                // it was there already
)

func (s Step) String() string {
	return [...]string{"resolved", "begun", "moved", "retrying", "unpacking", "finished", "exists"}[s]
}

// transfer reports on one blob.
type transfer struct {
	tell Progress
	blob layerstore.Digest
	size int64
	done atomic.Int64
	// begun tells whether anything had to move.
	begun atomic.Bool
}

func (o Options) transfer(blob layerstore.Digest, size int64) *transfer {
	return &transfer{tell: o.Progress, blob: blob, size: size}
}

func (t *transfer) step(s Step) {
	if t.tell != nil {
		t.tell(Event{Step: s, Blob: t.blob, Size: t.size, Done: t.done.Load()})
	}
}

// begin counts from nothing.
func (t *transfer) begin() {
	t.begun.Store(true)
	t.done.Store(0)
	t.step(Begun)
}

func (t *transfer) moved(n int64) {
	t.done.Add(n)
	t.step(Moved)
}

func (t *transfer) retrying(err error) {
	if t.tell != nil {
		t.tell(Event{Step: Retrying, Blob: t.blob, Size: t.size, Done: t.done.Load(), Err: err})
	}
}

func (o Options) resolved(manifest layerstore.Digest, from string) {
	if o.Progress != nil {
		o.Progress(Event{Step: Resolved, Blob: manifest, From: from})
	}
}
