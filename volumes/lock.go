package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock is a lock of flock(2) on a directory or file: it belongs to the open file
// and goes with the process, however that ends.
type lock struct{ f *os.File }

func (l lock) release() { l.f.Close() }

// lockPath waits for the lock of what has a name. While it waits that may be
// renamed or removed: what it then has locked is another.
func lockPath(path string) (lock, error) {
	for {
		l, err := flock(path, unix.LOCK_EX)
		if err != nil {
			return lock{}, err
		}
		if l.isAt(path) {
			return l, nil
		}
		l.release()
	}
}

func flock(path string, how int) (lock, error) {
	f, err := os.Open(path)
	if err != nil {
		return lock{}, err
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		return lock{}, err
	}
	return lock{f}, nil
}

// tryLock answers errHeld when somebody who lives has the lock.
func tryLock(path string) (lock, error) {
	l, err := flock(path, unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		err = errHeld
	}
	return l, err
}

// isHeld tells whether somebody who lives has a file locked. It takes a shared
// lock for a moment, so that two who ask don't see each other.
func isHeld(path string) bool {
	l, err := flock(path, unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		l.release()
	}
	return err == unix.EWOULDBLOCK
}

var errHeld = errors.New("held by another process")

func (l lock) isAt(path string) bool {
	var locked, named unix.Stat_t
	return unix.Fstat(int(l.f.Fd()), &locked) == nil && unix.Lstat(path, &named) == nil &&
		locked.Ino == named.Ino && locked.Dev == named.Dev
}

// locked does something while no other process publishes names in the store.
func (s *Store) locked(do func() error) error {
	l, err := lockPath(s.dir)
	if err != nil {
		return err
	}
	defer l.release()
	return do()
}

// withVolume does something while nobody else changes a volume or begins or ends
// a use of it. What an earlier process left half done is done first.
func (s *Store) withVolume(name string, do func(m *meta) error) error {
	if !isName(name) {
		return &NotFoundError{name}
	}
	l, err := s.lockVolume(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &NotFoundError{name}
	}
	if err != nil {
		return err
	}
	defer l.release()
	m, err := s.readMeta(name)
	if err != nil {
		return err
	}
	if err := s.settle(m); err != nil {
		return err
	}
	return do(m)
}

// lockVolume waits for a volume's lock: not for ever, because a process may be
// stuck in the kernel with it.
func (s *Store) lockVolume(name string) (lock, error) {
	path, began, said := s.path(name), time.Now(), false
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		l, err := tryLock(path)
		switch {
		case err == nil && l.isAt(path):
			return l, nil
		case err == nil:
			l.release()
			continue
		case err != errHeld:
			return lock{}, err
		}
		waited := time.Since(began)
		if waited > s.patience() {
			return lock{}, &BusyError{name}
		}
		if waited > noticeAfter && !said {
			said = true
			s.warn(fmt.Sprintf("volume %s: waiting for another command that is at work on it", name))
		}
		time.Sleep(pause)
	}
}

const (
	noticeAfter     = 3 * time.Second
	defaultPatience = 2 * time.Minute
)

func (s *Store) patience() time.Duration {
	if s.o.Patience > 0 {
		return s.o.Patience
	}
	return defaultPatience
}

// BusyError says that another command doesn't come to an end with a volume.
type BusyError struct{ Name string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("volume %q: another command is at work on it and doesn't come to an end: try again later", e.Name)
}
