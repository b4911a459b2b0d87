package transport

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// tick is the time between two looks. The runtime makes a millisecond of
	// it while nothing else runs (netpoll waits in milliseconds).
	tick = 200 * time.Microsecond
	// idleTicks is after how many looks at nothing the watchdog goes to
	// sleep, so that an idle mount costs nothing.
	idleTicks = 25
	// alertTicks is for how long a slow handler makes it expect another.
	alertTicks = 50
	// backlogTicks is how long requests must have waited, while every reader
	// was busy with quick ones, to call for one more.
	backlogTicks = 4
	// calmTicks is how long there must have been no backlog to need one less.
	calmTicks = 100
	// dryTicks is for how long nobody may wait for requests while none come.
	dryTicks = 5
	// maxBurst bounds the readers added at one look.
	maxBurst = 32
)

// watchdog looks at the readers while requests come in. A reader found at the
// same request twice is stuck, and another takes its place: at once when a
// request waits, else a little later, since a client alone has nothing to ask
// until it is answered, and two readers that take turns wake each other's
// processor for each request. After a slow handler that others had to wait for,
// one reader more than needed waits for some time, so that the next one stalls
// nobody at all.
type watchdog struct {
	s       *Server
	asleep  atomic.Bool
	wake    chan struct{}
	stopped chan struct{}

	base    int // hot readers that the load calls for
	alert   int // ticks left
	backlog int // ticks that requests have waited
	calm    int // ticks without backlog
	burst   int // readers to add when requests still wait
	dry     int // ticks without a reader that isn't stuck
	awake   awake
}

func (d *watchdog) init(s *Server) {
	d.s, d.base = s, 1
	d.wake = make(chan struct{}, 1)
	d.stopped = make(chan struct{})
}

// nudge tells that a request has begun: one load in the common case.
func (d *watchdog) nudge() {
	if d.asleep.Load() && d.asleep.CompareAndSwap(true, false) {
		d.wake <- struct{}{}
	}
}

func (d *watchdog) stop() { close(d.stopped) }

func (d *watchdog) run() {
	defer d.awake.end()
	for idle := 0; ; idle++ {
		if idle >= idleTicks {
			if !d.sleep() {
				return
			}
			idle = 0
		}
		time.Sleep(tick)
		select {
		case <-d.stopped:
			return
		default:
		}
		if d.look() {
			idle = 0
		}
	}
}

// sleep waits for the next request. It answers false at the end.
func (d *watchdog) sleep() bool {
	d.asleep.Store(true)
	// The reader counts its turn before it looks at the flag, so a request
	// begun before the flag was set is seen here.
	if d.look() && d.asleep.CompareAndSwap(true, false) {
		return true
	}
	d.rest()
	select {
	case <-d.wake:
		return true
	case <-d.stopped:
		return false
	}
}

// rest forgets the load: one hot reader will do.
func (d *watchdog) rest() {
	d.base, d.alert, d.backlog, d.calm, d.burst = 1, 0, 0, 0, 0
	d.awake.letGo()
	p := &d.s.pool
	p.mu.Lock()
	p.aim(1)
	p.mu.Unlock()
}

// look tells whether anything went on since the last look.
func (d *watchdog) look() (busy bool) {
	pending := d.pending()
	p := &d.s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	busy, stuck, waiting, requests := p.survey()
	ringBusy, ringRequests := d.s.queues.look()
	busy, requests = busy || ringBusy, requests+ringRequests
	if !d.s.opts.MayHalt {
		d.awake.heed(requests)
	}
	d.measure(pending && !waiting, stuck && pending)
	target := d.base
	if d.alert > 0 {
		target++
	}
	p.aim(target)
	if p.hot > 0 {
		d.dry = 0
	} else {
		d.dry, busy = d.dry+1, true
	}
	if p.hot > 0 || pending || d.dry > dryTicks {
		for p.hot < p.target && p.promote() {
			p.promoted++
		}
	}
	for n := d.burst; n > 0 && p.promote(); n-- {
		p.promoted++
	}
	return busy
}

// survey counts out the readers that are stuck. Waiting tells that one waits
// for requests, of which there were that many. The caller holds mu.
func (p *pool) survey() (busy, stuck, waiting bool, requests uint64) {
	for r := range p.readers {
		turn := r.turn.Load()
		changed := turn != r.seen
		requests += (turn - r.seen) / 2
		r.seen = turn
		switch {
		case changed:
			busy = true
		case turn&1 == 1 && !r.stuck.Load():
			r.stuck.Store(true)
			p.heat(-1)
			busy, stuck = true, true
		}
		if turn&1 == 0 && !r.spare {
			waiting = true
		}
	}
	return busy, stuck, waiting, requests
}

// measure draws the conclusions of one look.
func (d *watchdog) measure(backlog, stuck bool) {
	d.alert = max(0, d.alert-1)
	if stuck {
		d.alert = alertTicks
	}
	switch {
	case !backlog:
		d.backlog, d.burst = 0, 0
		if d.calm++; d.calm >= calmTicks {
			d.calm, d.base = 0, max(1, d.base-1)
		}
		return
	case stuck:
		// Slow requests have come in a crowd: grow twofold.
		d.burst = min(2*d.burst+1, maxBurst)
	}
	d.calm = 0
	if d.backlog++; d.backlog >= backlogTicks {
		d.backlog, d.base = 0, min(mostHot(), d.base+1)
	}
}

// pending tells whether requests wait to be read.
func (d *watchdog) pending() bool {
	fds := [1]unix.PollFd{{Fd: int32(d.s.dev.fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLIN != 0
}
