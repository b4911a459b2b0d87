package driver

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A lock is a file that is locked between processes, and between the users of
// one process (flock(2)). The kernel releases those of the dead.
type lock struct{ f *os.File }

func (l lock) release() { l.f.Close() }

// takeLock waits for a lock until ctx ends. The file may be removed by whoever
// had it: what counts is the one that has the name.
func takeLock(ctx context.Context, path string, how int) (lock, error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		l, err := tryLock(path, how)
		if err != unix.EWOULDBLOCK {
			return l, err
		}
		select {
		case <-ctx.Done():
			return lock{}, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// tryLock answers EWOULDBLOCK for a lock that others have.
func tryLock(path string, how int) (lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if os.IsNotExist(err) {
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		}
	}
	if err != nil {
		return lock{}, err
	}
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	}
	if err == nil && !hasName(f, path) {
		err = unix.EWOULDBLOCK
	}
	if err != nil {
		f.Close()
		return lock{}, err
	}
	return lock{f}, nil
}

func hasName(f *os.File, path string) bool {
	var open, named unix.Stat_t
	return unix.Fstat(int(f.Fd()), &open) == nil && unix.Lstat(path, &named) == nil &&
		open.Ino == named.Ino && open.Dev == named.Dev
}
