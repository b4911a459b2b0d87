package transport

import (
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// maxReaders bounds the memory that blocked handlers take.
	maxReaders = 256
	// maxSpares is how many idle readers are kept.
	maxSpares = 2
)

// pool keeps account of the readers. Each one is hot, stuck or spare.
type pool struct {
	s *Server
	// crowded tells hot readers that there are too many of them.
	crowded atomic.Bool

	mu       sync.Mutex
	readers  map[*reader]struct{}
	spares   []*reader
	hot      int // readers in the loop that aren't stuck
	target   int // how many should be hot
	promoted uint64
	most     int
	past     counters // of readers that have ended
	ended    bool
	err      error
	idle     sync.WaitGroup
}

func (p *pool) init(s *Server) {
	p.s, p.target = s, 1
	p.readers = map[*reader]struct{}{}
}

// mostHot is how many readers a backlog may make hot. Clients need processors
// too.
func mostHot() int { return max(1, runtime.NumCPU()/2) }

// begin starts the first reader.
func (p *pool) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.promote()
}

// promote makes one more reader hot, if there may be more. The caller holds mu.
func (p *pool) promote() bool {
	if p.ended {
		return false
	}
	if k := len(p.spares); k > 0 {
		r := p.spares[k-1]
		p.spares = p.spares[:k-1]
		r.spare = false
		p.heat(1)
		r.wake <- true
		return true
	}
	if len(p.readers) >= maxReaders {
		return false
	}
	r := newReader(p.s)
	p.readers[r] = struct{}{}
	p.most = max(p.most, len(p.readers))
	p.heat(1)
	p.idle.Add(1)
	go r.run()
	return true
}

// heat changes the number of hot readers. The caller holds mu.
func (p *pool) heat(by int) {
	p.hot += by
	p.crowded.Store(p.hot > p.target)
}

// aim changes the number of readers that should be hot; too many leave after
// their next request. The caller holds mu.
func (p *pool) aim(target int) {
	p.target = target
	p.crowded.Store(p.hot > p.target)
}

// settle decides what becomes of r, which was stuck or finds the place
// crowded: it goes on, or waits as a spare, or ends and the answer is false.
func (p *pool) settle(r *reader) bool {
	p.mu.Lock()
	if r.stuck.Load() {
		r.stuck.Store(false)
		p.heat(1)
	}
	if p.ended {
		p.mu.Unlock()
		return false
	}
	if p.hot <= p.target {
		p.mu.Unlock()
		return true
	}
	if len(p.spares) >= maxSpares {
		p.mu.Unlock()
		return false
	}
	p.heat(-1)
	r.spare = true
	p.spares = append(p.spares, r)
	p.mu.Unlock()
	return <-r.wake
}

// end lets all readers go: the spare ones now; the others find out when they
// read, since what ended one of them ends them all.
func (p *pool) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended, p.err = true, err
	for _, r := range p.spares {
		r.wake <- false
	}
	p.spares = nil
}

// leave is a reader's last word.
func (p *pool) leave(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !r.spare && !r.stuck.Load() {
		p.heat(-1)
	}
	delete(p.readers, r)
	p.past.add(&r.call.counts)
	p.idle.Done()
}

// wait blocks until every reader has left, and answers why.
func (p *pool) wait() error {
	p.idle.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
