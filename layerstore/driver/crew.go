package driver

import (
	"runtime"
	"sync"
)

// A crew does several things at once, until one of them fails.
type crew struct {
	wait  sync.WaitGroup
	slots chan struct{}
	mu    sync.Mutex
	err   error
}

func newCrew() *crew { return &crew{slots: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// do starts something as soon as there is a slot for it.
func (c *crew) do(f func() error) {
	c.slots <- struct{}{}
	c.wait.Go(func() {
		defer func() { <-c.slots }()
		if c.failed() == nil {
			c.fail(f())
		}
	})
}

func (c *crew) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *crew) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// end waits for all, and answers the first error.
func (c *crew) end() error {
	c.wait.Wait()
	return c.err
}
