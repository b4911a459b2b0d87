package transport

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// counters belong to one reader, so that counting shares no cache line.
type counters struct {
	calls, errors [maxOpcode]atomic.Uint64
}

// count notes a request; opcodes that we don't know share a place.
func (ct *counters) count(op uint32, code fuse.Status) {
	if op >= maxOpcode {
		op = 0
	}
	ct.calls[op].Add(1)
	if code != fuse.OK {
		ct.errors[op].Add(1)
	}
}

func (ct *counters) add(other *counters) {
	for op := range ct.calls {
		ct.calls[op].Add(other.calls[op].Load())
		ct.errors[op].Add(other.errors[op].Load())
	}
}

// Stats is what a server has done so far.
type Stats struct {
	Ops []OpStats // those that were called, by opcode
	// Promoted is how often a reader was added to those that were busy.
	Promoted uint64
	// Readers there are, Hot ones among them, and the most there have been.
	Readers, Hot, MostReaders int
}

// OpStats counts one kind of request.
type OpStats struct {
	Name          string
	Calls, Errors uint64
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	p := &s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	var sum counters
	sum.add(&p.past)
	for r := range p.readers {
		sum.add(&r.call.counts)
	}
	s.queues.sum(&sum)
	st := Stats{Promoted: p.promoted, Readers: len(p.readers), Hot: p.hot, MostReaders: p.most}
	for op := range sum.calls {
		if n := sum.calls[op].Load(); n > 0 {
			st.Ops = append(st.Ops, OpStats{opName(uint32(op)), n, sum.errors[op].Load()})
		}
	}
	return st
}

// String is a table for people.
func (st Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %12s %10s\n", "REQUEST", "CALLS", "ERRORS")
	for _, op := range st.Ops {
		fmt.Fprintf(&b, "%-18s %12d %10d\n", op.Name, op.Calls, op.Errors)
	}
	fmt.Fprintf(&b, "readers: %d, %d of them hot, at most %d so far; promoted %d times\n", st.Readers, st.Hot, st.MostReaders, st.Promoted)
	return b.String()
}
