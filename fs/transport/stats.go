package transport

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// counters are written by the readers.
type counters struct {
	calls, errors [maxOpcode]atomic.Uint64
	promoted      atomic.Uint64
}

// Stats is what a server has done so far.
type Stats struct {
	Ops      []OpStats // those that were called, by opcode
	Promoted uint64    // readers added because of slow handlers
	Readers  int
}

// OpStats counts one kind of request.
type OpStats struct {
	Name          string
	Calls, Errors uint64
}

// Stats reads the counters.
func (s *Server) Stats() Stats {
	st := Stats{Promoted: s.stats.promoted.Load(), Readers: int(s.readers.Load())}
	for op := range s.stats.calls {
		if n := s.stats.calls[op].Load(); n > 0 {
			st.Ops = append(st.Ops, OpStats{opName(uint32(op)), n, s.stats.errors[op].Load()})
		}
	}
	return st
}

// String is a table for people.
func (st Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %12s %10s\n", "REQUEST", "CALLS", "ERRORS")
	for _, op := range st.Ops {
		fmt.Fprintf(&b, "%-16s %12d %10d\n", op.Name, op.Calls, op.Errors)
	}
	fmt.Fprintf(&b, "readers %d, promoted %d\n", st.Readers, st.Promoted)
	return b.String()
}
