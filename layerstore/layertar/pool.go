package layertar

import (
	"context"
	"runtime"
	"sync"
)

// key names one place in the tree.
type key struct {
	dir  *node
	name string
}

// job is one file to make.
type job struct {
	key
	at   *openDir
	e    *entry
	data []byte // all of a small file, in a buffer of the pool
	// parts are the buffers of a file that doesn't fit into one; closed at
	// its end.
	parts chan []byte
	done  bool // under pool.mu
}

// pool makes files on several threads. No two jobs under way have the same
// place: the reader awaits the one before, so that the order of the archive is
// kept where it matters.
type pool struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	disk   *disk
	jobs   chan *job
	free   chan []byte
	spare  int // buffers that may still be made
	wg     sync.WaitGroup

	mu   sync.Mutex
	more *sync.Cond // a job is done
	// recent are the jobs since the last drain: done or not.
	recent map[key]*job
}

const (
	bufSize    = 256 << 10
	maxBufs    = 48
	maxQueued  = 256
	maxRecent  = 1 << 14
	maxWorkers = 8
)

func startPool(ctx context.Context, d *disk) *pool {
	p := &pool{disk: d, jobs: make(chan *job, maxQueued), free: make(chan []byte, maxBufs), spare: maxBufs, recent: map[key]*job{}}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	p.more = sync.NewCond(&p.mu)
	for range min(max(runtime.GOMAXPROCS(0), 2), maxWorkers) {
		p.wg.Add(1)
		go p.work()
	}
	return p
}

// err is why everything shall end: the caller's wish or a worker's failure.
func (p *pool) err() error {
	if p.ctx.Err() == nil {
		return nil
	}
	return context.Cause(p.ctx)
}

func (p *pool) work() {
	defer p.wg.Done()
	for j := range p.jobs {
		if p.err() == nil {
			if err := p.disk.make(p, j); err != nil {
				p.cancel(err)
			}
		}
		p.finish(j)
	}
}

func (p *pool) finish(j *job) {
	j.at.release()
	if j.data != nil {
		p.give(j.data)
		j.data = nil
	}
	p.mu.Lock()
	j.done = true
	p.more.Broadcast()
	p.mu.Unlock()
}

// submit hands a job over.
func (p *pool) submit(j *job) error {
	p.mu.Lock()
	full := len(p.recent) >= maxRecent
	p.mu.Unlock()
	if full {
		if err := p.drain(); err != nil {
			j.at.release()
			return err
		}
	}
	p.mu.Lock()
	p.recent[j.key] = j
	p.mu.Unlock()
	p.jobs <- j // workers take jobs even after a failure
	return nil
}

// await lets the job at a place be done, if there is one.
func (p *pool) await(dir *node, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if j := p.recent[key{dir, name}]; j != nil {
		p.awaitLocked(j)
		delete(p.recent, j.key)
	}
}

// made tells whether a job has made something, or will, at a place.
func (p *pool) made(dir *node, name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.recent[key{dir, name}] != nil
}

func (p *pool) awaitLocked(j *job) {
	for !j.done {
		p.more.Wait()
	}
}

// drain lets all jobs be done.
func (p *pool) drain() error {
	p.mu.Lock()
	for _, j := range p.recent {
		p.awaitLocked(j)
	}
	clear(p.recent)
	p.mu.Unlock()
	return p.err()
}

// close ends the workers when all is done.
func (p *pool) close() error {
	close(p.jobs)
	p.wg.Wait()
	err := p.err()
	p.cancel(nil)
	return err
}

// buffer waits for a free buffer: they bound the memory in use.
func (p *pool) buffer() ([]byte, error) {
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	if p.spare > 0 {
		p.spare--
		return make([]byte, bufSize), nil
	}
	select {
	case b := <-p.free:
		return b, nil
	case <-p.ctx.Done():
		return nil, p.err()
	}
}

func (p *pool) give(b []byte) { p.free <- b[:bufSize] }
