package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pathLimit is sun_path without its final zero, see unix(7).
const pathLimit = 107

// NoGroup leaves a socket to its owner alone.
const NoGroup = -1

// Socket listens under a name in the file system until it is closed.
type Socket struct {
	*net.UnixListener
	path string
	is   fs.FileInfo
	lock *os.File
	end  func() error
}

// Listen makes a socket for its owner, and for a group when there is one. A dead
// socket of that name is replaced; a live one is an error.
func Listen(path string, group int) (*Socket, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("%q is no absolute path for a socket", path)
	}
	path = filepath.Clean(path)
	if len(path) > pathLimit {
		return nil, fmt.Errorf("%s is too long for a socket: %d bytes are allowed", path, pathLimit)
	}
	dir := filepath.Dir(path)
	if err := makeFolder(dir, group); err != nil {
		return nil, err
	}
	lock, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	s := &Socket{path: path, lock: lock}
	s.end = sync.OnceValue(s.disappear)
	if err := checkPredecessor(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := s.appear(group); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// makeFolder makes the folder if need be, and makes sure that nobody else can
// put a socket of their own in the place of ours.
func makeFolder(dir string, group int) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o700)
	if group != NoGroup {
		mode = 0o750
	}
	switch err := os.Mkdir(dir, mode); {
	case err == nil:
		return os.Chown(dir, -1, group)
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	case !ok || (int(stat.Uid) != os.Geteuid() && stat.Uid != 0):
		return fmt.Errorf("%s belongs to somebody else, who could replace the socket in it: choose another folder", dir)
	case info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("%s can be written by others, who could replace the socket in it: chmod go-w %s, or choose another folder", dir, dir)
	}
	return nil
}

// lockFor makes sure that of two servers that start at once one stays. The lock
// file stays when its holder ends: to remove it would let two hold one.
func lockFor(path string) (*os.File, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	lock, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = inUse(path)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func inUse(path string) error {
	return fmt.Errorf("another server listens at %s: end it, or choose another --socket", path)
}

// checkPredecessor refuses to replace what somebody answers at, and what is no
// socket.
func checkPredecessor(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is no socket: move it away, or choose another --socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		return errors.Join(inUse(path), conn.Close())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("whether somebody listens at %s can't be told: %w", path, err)
}

// appear binds in a folder that is ours alone, sets owner and mode there, and
// then moves the socket to its place, so that it is never seen half made.
func (s *Socket) appear(group int) (err error) {
	dir, base := filepath.Dir(s.path), filepath.Base(s.path)
	sweep(dir, base)
	private, err := os.MkdirTemp(dir, "."+base+".")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	made := filepath.Join(private, "s")
	if s.UnixListener, err = bind(private); err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	if group != NoGroup {
		mode = 0o660
		err = os.Chown(made, -1, group)
	}
	for _, step := range []func() error{
		func() error { return os.Chmod(made, mode) },
		func() error { s.is, err = os.Lstat(made); return err },
		func() error { return os.Rename(made, s.path) },
	} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		return errors.Join(err, s.UnixListener.Close())
	}
	return nil
}

// bind makes the socket "s" in a folder whose path may be too long for it.
func bind(dir string) (*net.UnixListener, error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	name := "/proc/self/fd/" + strconv.Itoa(int(folder.Fd())) + "/s"
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// The name won't be the one that it has in the end: Close removes that.
	l.SetUnlinkOnClose(false)
	return l, nil
}

// sweep removes what servers left that were killed while they started. We hold
// the lock, so that none is at work.
func sweep(dir, base string) {
	left, _ := filepath.Glob(filepath.Join(dir, "."+base+".[0-9]*"))
	for _, name := range left {
		_ = os.RemoveAll(name) // an empty folder that stays does no harm
	}
}

// Close stops listening and removes the socket, unless another has its place.
// Those who close it again, as net/http does, hear the same.
func (s *Socket) Close() error { return s.end() }

func (s *Socket) disappear() error {
	err := s.UnixListener.Close()
	if now, lstat := os.Lstat(s.path); lstat == nil && os.SameFile(now, s.is) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return errors.Join(err, s.lock.Close())
}
