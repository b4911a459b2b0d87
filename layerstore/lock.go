package layerstore

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock is a lock between processes, and between the users of one process:
// every open file description counts for itself (flock(2)).
type fileLock struct{ f *os.File }

// lockFile waits for the lock of a file, which is made when missing. While it
// waits the file may be renamed or removed: what it then has locked is another.
func lockFile(path string) (fileLock, error) {
	for {
		l, err := lockOnce(path, unix.LOCK_EX)
		if err != nil || l.isAt(path) {
			return l, err
		}
		l.release()
	}
}

// lockFileUntil is lockFile for locks that are held as long as a transfer may
// take: it gives up when ctx ends, which flock(2) knows nothing of.
func lockFileUntil(ctx context.Context, path string) (fileLock, error) {
	for {
		l, err := lockOnce(path, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil && l.isAt(path):
			return l, nil
		case err == nil:
			l.release()
			continue
		case err != errLocked:
			return l, err
		}
		select {
		case <-ctx.Done():
			return fileLock{}, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// isAt tells whether what is locked still has the name.
func (l fileLock) isAt(path string) bool {
	var locked, named unix.Stat_t
	return unix.Fstat(int(l.f.Fd()), &locked) == nil && unix.Lstat(path, &named) == nil &&
		locked.Ino == named.Ino && locked.Dev == named.Dev
}

func lockOnce(path string, how int) (fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fileLock{}, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err == unix.EWOULDBLOCK {
		err = errLocked
	}
	if err != nil {
		f.Close()
		return fileLock{}, err
	}
	return fileLock{f}, nil
}

// errLocked says that somebody who lives holds the lock.
var errLocked = errors.New("in use")

// tryLockFile takes the lock of an existing file or answers errLocked.
func tryLockFile(path string) (fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fileLock{}, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			err = errLocked
		}
		return fileLock{}, err
	}
	return fileLock{f}, nil
}

func (l fileLock) release() { l.f.Close() }

// locked does something while no other process changes names in the store.
func (s *Store) locked(do func() error) error {
	l, err := lockFile(s.path("lock"))
	if err != nil {
		return err
	}
	defer l.release()
	return do()
}
