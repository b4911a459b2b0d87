package plugin

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// DefaultPatience is how long Docker waits for a plugin that starts.
	DefaultPatience = 30 * time.Second
	// firstPause doubles up to lastPause.
	firstPause = 20 * time.Millisecond
	lastPause  = 4 * time.Second
)

// patience waits between attempts, for a limited time in all.
type patience struct {
	began  time.Time
	limit  time.Duration
	pause  time.Duration
	notice func(error) // told once, at the first wait
}

func newPatience(limit time.Duration, notice func(error)) *patience {
	return &patience{began: time.Now(), limit: limit, pause: firstPause, notice: notice}
}

func (p *patience) waited() time.Duration { return time.Since(p.began) }

// wait sleeps before the next attempt. No is the answer when the time is over.
func (p *patience) wait(ctx context.Context, why error) bool {
	left := p.limit - p.waited()
	if left <= 0 {
		return false
	}
	// Short waits are how plugins start; only long ones are worth a word.
	if p.notice != nil && p.waited() > time.Second {
		p.notice(why)
		p.notice = nil
	}
	// The last attempt is made when the time ends.
	timer := time.NewTimer(min(p.pause, left))
	defer timer.Stop()
	p.pause = min(2*p.pause, lastPause)
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// mayStart says that a connection failed as it does when a program hasn't begun
// to listen, or has too much to do. All other failures stay.
func mayStart(err error) bool {
	for _, errno := range []error{
		syscall.ENOENT, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EAGAIN,
		syscall.ETIMEDOUT, syscall.EHOSTUNREACH, syscall.ENETUNREACH,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout() && !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, os.ErrDeadlineExceeded)
}
