package transport

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// mostQueues is for how many processors the kernel may have queues: each
	// takes a thread.
	mostQueues = 64
	// queueReaders is how many readers of a queue there are at least, and wait
	// beside those that are stuck; mostQueueReaders bounds them all.
	queueReaders, mostQueueReaders = 2, 64
	// kicks is how often a queue is kicked that had no reader who waits.
	kicks = 2
)

// queues carry requests over io_uring (Linux 6.14, if root has allowed it): each
// processor has one, which the kernel fills with what is asked there. What has no
// reply goes over the device as before. The kernel gives a request to the reader
// that answered last, so that one of them has most of the work. The watchdog sees
// when readers are stuck, and has others join them.
type queues struct {
	s *Server

	// opened are rings for the first readers: once we have agreed on io_uring the
	// kernel waits for all queues, and nothing may be missing.
	opened    []*uring
	kickCount atomic.Uint64

	mu      sync.Mutex
	readers [][]*uringReader // by queue
	kicked  []int            // by queue: how often it is still to be kicked
	past    counters
	ended   bool
	idle    sync.WaitGroup
}

// prepare opens all rings, and tells whether requests can come over io_uring.
func (q *queues) prepare(offered uint64) bool {
	n := possibleProcessors()
	if !q.s.opts.Uring || offered&fuse.CAP_OVER_IO_URING == 0 || n == 0 || n > mostQueues || q.s.opts.MaxWrite < largestOther {
		return false
	}
	for len(q.opened) < n {
		u, err := openUring()
		if err != nil { // forbidden (kernel.io_uring_disabled, a filter), or there is no room
			q.drop()
			return false
		}
		q.opened = append(q.opened, u)
	}
	return true
}

// drop closes rings that nobody got.
func (q *queues) drop() {
	for _, u := range q.opened {
		u.close()
	}
	q.opened = nil
}

// possibleProcessors is how many queues the kernel wants (num_possible_cpus), 0
// when that can't be known.
func possibleProcessors() int {
	text, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return 0
	}
	n := 0
	for part := range strings.SplitSeq(strings.TrimSpace(string(text)), ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || last < first {
			return 0
		}
		n += last - first + 1
	}
	return n
}

// begin starts a reader for each queue.
func (q *queues) begin() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.readers = make([][]*uringReader, len(q.opened))
	q.kicked = make([]int, len(q.opened))
	for i, u := range q.opened {
		q.join(i, u)
		q.help(i)
	}
	q.opened = nil
}

// help starts one more reader of a queue. The caller holds mu.
func (q *queues) help(i int) {
	if q.ended || len(q.readers[i]) >= mostQueueReaders {
		return
	}
	if u, err := openUring(); err == nil { // else those who wait go on waiting
		q.join(i, u)
	}
}

// join starts a reader of a queue. The caller holds mu.
func (q *queues) join(i int, u *uring) {
	r := newUringReader(q.s, i, u)
	q.readers[i] = append(q.readers[i], r)
	q.idle.Add(1)
	go r.run()
}

// leave is a reader's last word; ended says that there is no connection any more.
func (q *queues) leave(r *uringReader, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = q.ended || ended
	q.past.add(&r.call.counts)
	for i, other := range q.readers[r.queue] {
		if other == r {
			q.readers[r.queue] = append(q.readers[r.queue][:i:i], q.readers[r.queue][i+1:]...)
			break
		}
	}
	q.idle.Done()
}

// wait blocks until every reader has left.
func (q *queues) wait() {
	q.idle.Wait()
	q.drop() // where INIT's answer found nobody
}

// look counts the requests since the last look, and helps queues whose readers are
// all at the request that they were at then.
func (q *queues) look() (busy bool, requests uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, readers := range q.readers {
		stuck := 0
		for _, r := range readers {
			turn := r.turn.Load()
			switch {
			case turn != r.seen:
				requests += (turn - r.seen + 1) / 2
				r.stuck, busy = false, true
			case turn&1 == 1:
				r.stuck = true
			}
			r.seen = turn
			if r.stuck {
				stuck++
			}
		}
		if stuck > 0 {
			busy = q.relieve(i, stuck) || busy
		}
	}
	return busy, requests
}

// relieve has others join the readers of a queue that are stuck, and tells whether
// there is more to do. What was asked while none of them waited isn't given to one
// that joins (fuse_uring_do_register), but to one that answers: so such a queue is
// kicked, once the one who joined will be there. The caller holds mu.
func (q *queues) relieve(i, stuck int) (busy bool) {
	if q.kicked[i] > 0 {
		q.kicked[i]--
		go q.s.kick(i)
		return true
	}
	if stuck == len(q.readers[i]) {
		q.kicked[i] = kicks
	}
	if len(q.readers[i])-stuck < queueReaders {
		q.help(i)
		busy = true
	}
	return busy
}

// busy tells whether a request is being served.
func (q *queues) busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, readers := range q.readers {
		for _, r := range readers {
			if r.turn.Load()&1 == 1 {
				return true
			}
		}
	}
	return false
}

// count adds what all readers have done so far.
func (q *queues) count(sum *counters) {
	q.mu.Lock()
	defer q.mu.Unlock()
	sum.add(&q.past)
	for _, readers := range q.readers {
		for _, r := range readers {
			sum.add(&r.call.counts)
		}
	}
}

// kickUnique marks what comes of a kick; the kernel's own numbers of requests don't
// get there.
const kickUnique = 1 << 62

// kick has a reader of a queue get and answer something that asks nothing: the
// kernel's reply to a notification that wants to know no bytes of the root's cache
// (fuse_retrieve), which comes to the queue of the processor that notifies. With its
// answer it takes what has waited.
func (s *Server) kick(queue int) {
	runtime.LockOSThread() // for ever: the thread ends with this, and its place too
	if !s.queues.place(queue) {
		return
	}
	body := fuse.NotifyRetrieveOut{NotifyUnique: kickUnique + 2*s.queues.kickCount.Add(1), Nodeid: fuse.FUSE_ROOT_ID}
	_ = s.notify(fuse.NOTIFY_RETRIEVE_CACHE, bytesOf(&body), "") // another kick follows
}

// place puts the calling thread on a queue's processor.
func (q *queues) place(queue int) bool {
	var set unix.CPUSet
	set.Set(queue)
	return unix.SchedSetaffinity(0, &set) == nil
}
