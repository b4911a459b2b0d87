package union

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// Union is an open union. Its methods may be called from any number of
// goroutines.
type Union struct {
	cfg    Config
	lowers []*layer
	upper  *layer // nil when read-only
	work   *work  // nil when read-only
	codec  whiteout.Codec
	caps   whiteout.Caps
	ids    ids
	inos   *inoMap
	root   *Inode
	live   bool
	quota  *quota // nil without a limit

	dirs  *fdCache
	files *fdCache

	// tree is held for reading by whoever uses a name or a place, and for
	// writing by rename.
	tree sync.RWMutex

	linksMu sync.Mutex
	links   map[uint64]*Inode   // inodes with several names, by number
	late    map[*Inode]struct{} // inodes whose mtime is kept (mtime.go)

	dirIDs atomic.Uint64

	// OnGone, when set before the first use, is told of each inode that
	// leaves memory. It must not call back.
	OnGone func(n *Inode)
}

// Open opens the layers, takes the upper for this process, sweeps what a
// crash left in work and answers the union. Errors are sentences for the user.
func Open(cfg Config) (*Union, error) {
	u := &Union{cfg: cfg, inos: newInoMap(cfg.Ino32), links: map[uint64]*Inode{}, late: map[*Inode]struct{}{}, live: cfg.Live}
	budget := descriptorBudget()
	u.dirs, u.files = newFDCache(budget/2), newFDCache(budget/4)
	if err := u.openLayers(); err != nil {
		u.Close()
		return nil, err
	}
	if err := u.openQuota(); err != nil {
		u.Close()
		return nil, layerError("upperdir", cfg.Upper, err)
	}
	u.ids = newIDs(cfg, u)
	root, err := u.openRoot()
	if err != nil {
		u.Close()
		return nil, err
	}
	u.root = root
	return u, nil
}

// descriptorBudget is what the limit leaves for caches. Half stays free for
// requests under way.
func descriptorBudget() int {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &lim) != nil {
		return 512
	}
	return int(min(lim.Cur/2, 16384))
}

// Root is the root directory. It needs no reference.
func (u *Union) Root() *Inode { return u.root }

// ReadOnly tells whether there is no upper.
func (u *Union) ReadOnly() bool { return u.upper == nil }

func (u *Union) newDirOf(path *lowerPath) *dir {
	return &dir{id: u.dirIDs.Add(1), lpath: path}
}

// openRoot makes the root, which merges the roots of all layers whatever
// their xattrs say (ovl_get_root).
func (u *Union) openRoot() (*Inode, error) {
	d := u.newDirOf(nil)
	n := &Inode{typ: unix.S_IFDIR, dir: d}
	top := u.lowers[0]
	if u.upper != nil {
		top = u.upper
		d.upper = u.upper.root
		n.state.Store(inUpper)
	}
	for _, l := range u.lowers {
		d.lowers = append(d.lowers, l.root)
	}
	d.top = d.lowers[0]
	var st unix.Statx_t
	if err := hostfs.Statx(top.fd, "", &st); err != nil {
		return nil, err
	}
	n.ino = u.inoOf(top, &st)
	n.refs.Store(1)
	return n, nil
}

// Close gives everything back to the host. Nobody may use the union then.
func (u *Union) Close() {
	u.restoreMtimes()
	u.dirs.close()
	u.files.close()
	if u.work != nil {
		u.work.close(u.cfg.Volatile)
	}
	for _, l := range u.lowers {
		if l.known != nil {
			l.known.Close()
		}
		hostfs.Close(l.fd)
	}
	if u.upper != nil {
		hostfs.Close(u.upper.fd)
	}
}

func (u *Union) warn(line string) {
	if u.cfg.Warn != nil {
		u.cfg.Warn(line)
	}
}
