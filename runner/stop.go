package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// DefaultStopTimeout is how long a container may take to end when it is asked
// to.
const DefaultStopTimeout = 10 * time.Second

// Kill sends a signal to a running container's process 1. One that ends it has a
// paused container go on, as docker does: else it would never hear of it.
func (r *Runner) Kill(ctx context.Context, c *Container, sig unix.Signal) error {
	err := r.ask(ctx, c, request{Op: "signal", Signal: int(sig)}, nil)
	if err == nil && sig == unix.SIGKILL {
		err = r.goOn(ctx, c)
	}
	return err
}

// goOn has a container that is paused go on.
func (r *Runner) goOn(ctx context.Context, c *Container) error {
	st, err := r.state(&c.Snapshot)
	if err != nil || !st.Paused {
		return r.unlessEnded(c, err)
	}
	return r.unlessEnded(c, r.ask(ctx, c, request{Op: "freeze"}, nil))
}

// StopOptions say how a container is stopped, in the place of what its spec and its
// image say.
type StopOptions struct {
	Timeout *time.Duration // less than nothing is for ever
	Signal  unix.Signal    // 0 is none
}

// Stop asks a container to end, and kills it when it hasn't after the timeout. One
// that isn't running is fine.
func (r *Runner) Stop(ctx context.Context, c *Container, o StopOptions) error {
	if c.State.Status != Running {
		return nil
	}
	cfg, err := r.config(c)
	if err != nil {
		return err
	}
	sig, err := c.Spec.stopSignal(cfg.StopSignal)
	if err != nil {
		return err
	}
	if o.Signal != 0 {
		sig = o.Signal
	}
	patience := DefaultStopTimeout
	if c.Spec.StopTimeout != nil {
		patience = *c.Spec.StopTimeout
	}
	if o.Timeout != nil {
		patience = *o.Timeout
	}
	if err := r.Kill(ctx, c, sig); err != nil {
		return r.unlessEnded(c, err)
	}
	if err := r.goOn(ctx, c); err != nil {
		return err
	}
	asked := ctx
	if patience >= 0 {
		var cancel func()
		asked, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	if _, err := r.Wait(asked, c); err == nil || ctx.Err() != nil {
		return err
	}
	if err := r.Kill(ctx, c, unix.SIGKILL); err != nil {
		return r.unlessEnded(c, err)
	}
	_, err = r.Wait(ctx, c)
	return err
}

// unlessEnded is nil when the container has ended meanwhile.
func (r *Runner) unlessEnded(c *Container, err error) error {
	if err != nil && !monitored(&c.Snapshot) {
		return nil
	}
	return err
}

// Wait returns the state of a container that isn't running any more. One that
// was removed with its end is as good as ended well.
func (r *Runner) Wait(ctx context.Context, c *Container) (State, error) {
	last := c.State
	for {
		st, err := r.state(&c.Snapshot)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return last, nil
		case err != nil:
			return st, err
		case st.Status == Exited:
			return st, nil
		case st.Status == Created && !monitored(&c.Snapshot):
			if _, err := os.Lstat(c.Dir()); errors.Is(err, os.ErrNotExist) {
				return last, nil
			}
		}
		last = st
		if err := pause(ctx); err != nil {
			return st, err
		}
	}
}

// RemoveOptions say what else a removal may do.
type RemoveOptions struct {
	Force   bool // kill it first
	Volumes bool // and the volumes that were made for it alone
}

// Remove takes a container away, with all that was written in it.
func (r *Runner) Remove(ctx context.Context, c *Container, o RemoveOptions) error {
	lock, err := lockStill(ctx, &c.Snapshot)
	if err == nil {
		lock.release()
	}
	if errors.Is(err, errMonitored) {
		if !o.Force {
			return fmt.Errorf("container %s is running: stop it first, or remove it with --force", c.nameOrID())
		}
		if err := r.Kill(ctx, c, unix.SIGKILL); err != nil {
			if err = r.unlessEnded(c, err); err != nil {
				return err
			}
		}
		if _, err := r.Wait(ctx, c); err != nil {
			return err
		}
	}
	// A killed monitor has left it.
	if err := sandbox.RemoveGroup(groupName(c.ID)); err != nil {
		r.Warn(fmt.Sprintf("container %s: its cgroup stays: %v", c.nameOrID(), err))
	}
	if r.RunDir != "" {
		_ = os.RemoveAll(filepath.Join(r.RunDir, c.Short())) // dead sockets disturb nobody
	}
	d, err := r.driver(c)
	if err != nil {
		return err
	}
	err = d.Remove(ctx, c.Snapshot)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // by its own monitor
	}
	if err == nil && o.Volumes {
		r.removeVolumes(ctx, c)
	}
	return err
}

// Sync brings what a running container has written to the files of its driver,
// for those who read them there. One that doesn't run has nothing to bring.
func (r *Runner) Sync(ctx context.Context, c *Container) error {
	if c.State.Status != Running {
		return nil
	}
	return r.unlessEnded(c, r.ask(ctx, c, request{Op: "sync"}, nil))
}
