package transport

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a handler may keep the hot reader from reading.
	patience = 200 * time.Microsecond
	// idleTicks is after how many looks at nothing the watchdog goes to
	// sleep, so that an idle mount costs nothing.
	idleTicks = 25
)

// watchdog looks at the readers while requests come in, and promotes a spare
// when none waits for the next request and one has been at the same request
// since the last look.
type watchdog struct {
	s       *Server
	asleep  atomic.Bool
	wake    chan struct{}
	stopped chan struct{}

	mu      sync.Mutex
	readers map[*reader]struct{}
}

func (d *watchdog) init(s *Server) {
	d.s = s
	d.wake = make(chan struct{}, 1)
	d.stopped = make(chan struct{})
	d.readers = map[*reader]struct{}{}
}

func (d *watchdog) watch(r *reader) {
	d.mu.Lock()
	d.readers[r] = struct{}{}
	d.mu.Unlock()
}

func (d *watchdog) unwatch(r *reader) {
	d.mu.Lock()
	delete(d.readers, r)
	d.mu.Unlock()
}

// nudge tells that a request has begun: one load in the common case.
func (d *watchdog) nudge() {
	if d.asleep.Load() && d.asleep.CompareAndSwap(true, false) {
		d.wake <- struct{}{}
	}
}

func (d *watchdog) stop() { close(d.stopped) }

func (d *watchdog) run() {
	for idle := 0; ; {
		if idle >= idleTicks {
			idle = 0
			d.asleep.Store(true)
			// A request begun before the flag was set is seen by this look.
			if busy, _ := d.look(); busy && d.asleep.CompareAndSwap(true, false) {
				continue
			}
			select {
			case <-d.wake:
			case <-d.stopped:
				return
			}
		}
		time.Sleep(patience)
		select {
		case <-d.stopped:
			return
		default:
		}
		busy, stuck := d.look()
		if stuck {
			d.s.promote()
		}
		if busy {
			idle = 0
		} else {
			idle++
		}
	}
}

// look tells whether anything went on since the last look, and whether nobody
// waits for requests while a handler is still at the one it was at then.
func (d *watchdog) look() (busy, stuck bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for r := range d.readers {
		turn := r.turn.Load()
		if turn != r.seen {
			busy = true
		} else if turn&1 == 1 {
			busy, stuck = true, true
		}
		r.seen = turn
	}
	return busy, stuck && d.s.waiting.Load() == 0
}
