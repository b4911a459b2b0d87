package transport

import (
	"sync"
	"time"
)

// serving are the servers of this process.
var serving = struct {
	sync.Mutex
	all map[*Server]struct{}
}{all: map[*Server]struct{}{}}

func (s *Server) enlist() {
	serving.Lock()
	defer serving.Unlock()
	serving.all[s] = struct{}{}
}

func (s *Server) strike() {
	serving.Lock()
	defer serving.Unlock()
	delete(serving.all, s)
}

// Settle waits until no server of this process has a request to answer, for as
// long as patience lasts. syncfs(2) on a FUSE mount begins to write back what is
// cached and, since Linux 6.18, doesn't wait for the end (AS_NO_DATA_INTEGRITY):
// who reads below the mount then has to.
func Settle(patience time.Duration) {
	// Twice, since a request that was just read isn't seen yet.
	for idle, end := 0, time.Now().Add(patience); idle < 2 && time.Now().Before(end); {
		idle++
		if busyNow() {
			idle = 0
		}
		time.Sleep(200 * time.Microsecond)
	}
}

func busyNow() bool {
	serving.Lock()
	defer serving.Unlock()
	for s := range serving.all {
		if s.busy() {
			return true
		}
	}
	return false
}

// busy tells whether a request waits, or is being served.
func (s *Server) busy() bool {
	if !s.dev.hold() {
		return false
	}
	defer s.dev.drop()
	if s.dog.pending() || s.queues.busy() {
		return true
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for r := range s.pool.readers {
		if r.turn.Load()&1 == 1 {
			return true
		}
	}
	return false
}
