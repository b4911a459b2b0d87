package union

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Names in the work directory. The kernel's overlayfs uses "work" and "index"
// of them; it sweeps the first at every mount, as we do.
const (
	stageName    = "work"
	kernelIndex  = "index"
	privateName  = "unionfs"
	indexName    = "links" // below privateName
	volatileName = "work/incompat/volatile"
)

// lockPatience is how long a mount waits for the one before it on the same
// upper to let go.
const lockPatience = 6 * time.Second

// work is where changes are staged. Its methods may be called from any
// goroutine.
type work struct {
	fd    int
	stage *handle
	index *handle // nil until a hard link is copied up, or with index=off
	locks []int
	seq   atomic.Uint64

	mu      sync.Mutex
	indexed map[uint64]string // inode number shown -> name in index
	// blank is the staged whiteout that others are links of.
	blank string
}

func openWork(u *Union, path string) (*work, error) {
	fd, err := openPath(path)
	if err != nil {
		return nil, layerError("workdir", path, err)
	}
	w := &work{fd: fd, indexed: map[uint64]string{}}
	if err := w.open(u, path); err != nil {
		w.close(false)
		return nil, err
	}
	return w, nil
}

func (w *work) open(u *Union, path string) error {
	if err := w.checkSameMount(u, path); err != nil {
		return err
	}
	if err := w.lock(u.upper.fd, "upperdir="+u.cfg.Upper); err != nil {
		return err
	}
	if err := w.lock(w.fd, "workdir="+path); err != nil {
		return err
	}
	if err := w.checkContent(path); err != nil {
		return err
	}
	if exists(w.fd, volatileName) {
		return fmt.Errorf("workdir=%s: the upper was mounted volatile and not unmounted cleanly, so its data may be damaged: make both anew, or remove %s/%s to use it all the same", path, path, volatileName)
	}
	if err := w.sweep(); err != nil {
		return fmt.Errorf("workdir=%s: %w", path, err)
	}
	if err := u.probe(w, path); err != nil {
		return err
	}
	if err := w.openIndex(u); err != nil {
		return fmt.Errorf("workdir=%s: %w", path, err)
	}
	if u.cfg.Volatile {
		return w.markVolatile()
	}
	return nil
}

// checkSameMount makes sure that one rename leads from work to upper.
func (w *work) checkSameMount(u *Union, path string) error {
	var up, wk unix.Statx_t
	if err := hostfs.Statx(u.upper.fd, "", &up); err != nil {
		return layerError("upperdir", u.cfg.Upper, err)
	}
	if err := hostfs.Statx(w.fd, "", &wk); err != nil {
		return layerError("workdir", path, err)
	}
	if devOf(&up) != devOf(&wk) || up.Mnt_id != wk.Mnt_id {
		return fmt.Errorf("workdir=%s is on another file system (or mount) than upperdir=%s: put both on one", path, u.cfg.Upper)
	}
	return nil
}

// checkContent refuses a directory that somebody keeps other things in: they
// would be mistaken for leftovers.
func (w *work) checkContent(path string) error {
	err := hostfs.ListDir(w.fd, "", func(name []byte, _ uint64, _ uint8) error {
		switch string(name) {
		case stageName, kernelIndex, privateName:
			return nil
		}
		return fmt.Errorf("workdir=%s is not empty (it holds %q): give a directory of its own", path, name)
	})
	if errno, ok := err.(unix.Errno); ok {
		return layerError("workdir", path, errno)
	}
	return err
}

// sweep removes what a crash left half-made and makes the stage anew.
func (w *work) sweep() error {
	if err := hostfs.RemoveAll(w.fd, stageName); err != nil {
		return err
	}
	if err := hostfs.Mkdir(w.fd, stageName, 0o700); err != nil {
		return err
	}
	fd, err := hostfs.OpenDir(w.fd, stageName)
	if err != nil {
		return err
	}
	w.stage = pinned(fd)
	return nil
}

// pinned makes a handle that stays open until it is released once more than
// it was acquired.
func pinned(fd int) *handle {
	h := &handle{fd: fd, slot: new(slot)}
	h.users.Store(1)
	return h
}

func (w *work) markVolatile() error {
	if err := hostfs.Mkdir(w.stage.fd, "incompat", 0o700); err != nil {
		return err
	}
	return hostfs.Mkdir(w.stage.fd, "incompat/volatile", 0o700)
}

// name answers a fresh name in the stage.
func (w *work) name() string { return "#" + strconv.FormatUint(w.seq.Add(1), 16) }

// remove removes a staged object of any type. What can't be removed now is
// swept at the next open.
func (w *work) remove(name string) {
	err := hostfs.Unlink(w.stage.fd, name)
	if err == unix.EPERM && w.unprotect(name) == nil {
		err = hostfs.Unlink(w.stage.fd, name)
	}
	if err == nil {
		return
	}
	_ = hostfs.RemoveAll(w.stage.fd, name)
}

// unprotect takes away the flags that keep a name: a file may get them when it
// is open and has none any more, and must go with its last user all the same.
func (w *work) unprotect(name string) error {
	fd, err := hostfs.Open(w.stage.fd, name, unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(fd)
	flags, err := hostfs.GetFlags(fd)
	if err != nil {
		return err
	}
	return hostfs.SetFlags(fd, flags&^(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND))
}

func (w *work) close(volatile bool) {
	if w.stage != nil {
		if volatile {
			_ = hostfs.RemoveAll(w.stage.fd, "incompat")
		}
		w.stage.release()
	}
	if w.index != nil {
		w.index.release()
	}
	hostfs.Close(w.fd)
	for _, fd := range w.locks {
		hostfs.Close(fd)
	}
}
