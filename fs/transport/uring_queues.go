package transport

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const (
	// mostQueues is for how many processors the kernel may have queues: each
	// takes a thread.
	mostQueues = 64
	// firstWaiting is how many readers of a queue wait for requests at first, since a
	// mount comes up faster with few, and mostWaiting how many do when fillDelay is
	// over, and go on doing so while others answer, however slowly: fewer where there
	// are many processors. All queues together have at most maxReaders.
	firstWaiting, mostWaiting = 2, 4
	fillDelay                 = 50 * time.Millisecond
)

// queues carry requests over io_uring (Linux 6.14, if root has allowed it): each
// processor has one, which the kernel fills with what is asked there. What has no
// reply goes over the device as before. The kernel gives a request to the reader
// that answered last, so that one of them has most of the work.
//
// A request that finds no reader waiting is given to one of those who answer, when
// it has, and not to one that joins then (fuse_uring_do_register). So readers join
// before it comes to that; only what is asked at once, in greater number than readers
// wait on that processor, may wait for another's answer.
type queues struct {
	s *Server

	// opened are rings for the first readers: once we have agreed on io_uring the
	// kernel waits for all queues, and nothing may be missing.
	opened []*uring

	mu      sync.Mutex
	readers [][]*uringReader // by queue
	count   int              // of readers
	// waiting is, by queue, how many readers wait; joining are those that will,
	// as soon as their threads run, and guarded by mu.
	waiting []atomic.Int32
	joining []int
	enough  atomic.Int32 // how many are to wait
	past    counters
	ended   bool
	idle    sync.WaitGroup
}

// UringSwitch is where root allows new mounts of the machine to use io_uring.
const UringSwitch = "/sys/module/fuse/parameters/enable_uring"

// UringOffered tells whether new mounts can use io_uring as far as the kernel is
// concerned, and whether it knows of that at all.
func UringOffered() (offered, known bool) {
	text, err := os.ReadFile(UringSwitch)
	return err == nil && strings.TrimSpace(string(text)) == "Y", err == nil
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
	moreProcs(len(q.opened))
	q.readers = make([][]*uringReader, len(q.opened))
	q.waiting, q.joining = make([]atomic.Int32, len(q.opened)), make([]int, len(q.opened))
	q.enough.Store(firstWaiting)
	for i, u := range q.opened {
		q.join(i, u)
	}
	q.opened = nil
	q.fill()
	time.AfterFunc(fillDelay, q.fillUp)
}

// moreProcs has the Go scheduler know n processors more than there are. A reader that
// waits in the kernel keeps its processor, as the scheduler sees it, until that is
// taken away, which can last milliseconds; with a reader for each of them nothing
// else would run meanwhile.
var moreProcs = func() func(n int) {
	var once sync.Once
	return func(n int) { once.Do(func() { runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + n) }) }
}()

// fillUp has more readers wait than at first.
func (q *queues) fillUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enough.Store(int32(max(firstWaiting, min(mostWaiting, maxReaders/4/len(q.readers)))))
	q.fill()
}

// fill has enough readers wait. The caller holds mu.
func (q *queues) fill() {
	for i := range q.readers {
		for int(q.waiting[i].Load())+q.joining[i] < int(q.enough.Load()) && q.help(i) {
		}
	}
}

// help starts one more reader of a queue, if that can be. The caller holds mu.
func (q *queues) help(i int) bool {
	if q.ended || q.count >= maxReaders {
		return false
	}
	u, err := openUring()
	if err == nil { // else those who wait go on waiting
		q.join(i, u)
	}
	return err == nil
}

// join starts a reader of a queue. The caller holds mu.
func (q *queues) join(i int, u *uring) {
	r := newUringReader(q.s, i, u)
	q.readers[i] = append(q.readers[i], r)
	q.count++
	q.joining[i]++
	q.idle.Add(1)
	go r.run()
}

// leave is a reader's last word; ended says that there is no connection any more.
func (q *queues) leave(r *uringReader, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = q.ended || ended
	if r.joined {
		q.waiting[r.queue].Add(-1)
	} else {
		q.joining[r.queue]--
	}
	q.count--
	q.past.add(&r.call.counts)
	for i, other := range q.readers[r.queue] {
		if other == r {
			q.readers[r.queue] = append(q.readers[r.queue][:i:i], q.readers[r.queue][i+1:]...)
			break
		}
	}
	q.idle.Done()
}

// wait blocks until every reader has left. The connection has ended: nobody joins
// any more.
func (q *queues) wait() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	q.idle.Wait()
	q.drop() // where INIT's answer found nobody
}

// joins tells that a reader is there.
func (q *queues) joins(r *uringReader) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r.joined = true
	q.joining[r.queue]--
	q.waiting[r.queue].Add(1)
}

// begins tells that a reader has got a request. Who leaves too few behind calls for
// others: as many as may be asked at once before they are there.
func (q *queues) begins(i int) {
	if q.waiting[i].Add(-1) < q.enough.Load() {
		go func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.fill()
		}()
	}
}

// ends tells that it is about to wait for the next one.
func (q *queues) ends(i int) { q.waiting[i].Add(1) }

// look counts the requests since the last look.
func (q *queues) look() (busy bool, requests uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, readers := range q.readers {
		for _, r := range readers {
			turn := r.turn.Load()
			requests += (turn - r.seen + 1) / 2
			busy = busy || turn != r.seen
			r.seen = turn
		}
	}
	return busy, requests
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

// sum adds what all readers have done so far.
func (q *queues) sum(sum *counters) {
	q.mu.Lock()
	defer q.mu.Unlock()
	sum.add(&q.past)
	for _, readers := range q.readers {
		for _, r := range readers {
			sum.add(&r.call.counts)
		}
	}
}

// place puts the calling thread on a queue's processor.
func place(queue int) bool {
	var set unix.CPUSet
	set.Set(queue)
	return unix.SchedSetaffinity(0, &set) == nil
}
