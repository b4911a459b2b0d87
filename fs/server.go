package fs

import (
	"errors"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"unionfs/fs/transport"
	"unionfs/fs/union"
)

// forever is how long the kernel keeps what it was told, unless told otherwise.
const forever = time.Hour

// face serves the requests of one mount.
type face struct {
	u       *union.Union
	nodes   *nodes
	timeout time.Duration
	logLine func(string)
	server  *transport.Server
	trimmer trimmer
	late    lateErrors
	opens   opens
}

func (f *face) log(line string) {
	if f.logLine != nil {
		f.logLine(line)
	}
}

// has tells whether the kernel agreed to a capability.
func (f *face) has(capability uint64) bool { return f.server.Negotiated()&capability != 0 }

// Destroy gives the union back when the last request was answered.
func (f *face) Destroy() { f.u.Close() }

// Server is a mounted union that is being served.
type Server struct {
	face   *face
	target string
	own    bool // mounted by us, not handed in as a descriptor
	dev    *transport.Device
	done   chan struct{}
	once   sync.Once
	err    error
}

// Mount opens the union, mounts it and serves it until somebody unmounts it.
// It returns when the mount answers. The process's umask becomes 0: modes come
// from the requests. Errors are sentences for the user.
func Mount(cfg Config) (*Server, error) {
	return mountBy(cfg, connect)
}

// MountDetached is Mount for a mount that is in no tree yet. The caller puts
// the descriptor's mount in its place, and closes the descriptor; the server
// ends when the mount's last place and descriptor are gone.
func MountDetached(cfg Config) (s *Server, mount int, err error) {
	mount = -1
	s, err = mountBy(cfg, func(cfg Config, u *union.Union) (dev *transport.Device, err error) {
		dev, mount, err = transport.MountDetached(mountOptions(cfg, u))
		return dev, err
	})
	if err != nil && mount >= 0 {
		_ = unix.Close(mount)
		mount = -1
	}
	return s, mount, err
}

func mountBy(cfg Config, connect func(Config, *union.Union) (*transport.Device, error)) (*Server, error) {
	unix.Umask(0)
	paceCollector()
	timeout := forever
	if cfg.Timeout != nil {
		timeout = *cfg.Timeout
	}
	cfg.Union.Live = timeout == 0
	u, err := union.Open(cfg.Union)
	if err != nil {
		return nil, err
	}
	dev, err := connect(cfg, u)
	if err != nil {
		u.Close()
		return nil, err
	}
	f := &face{u: u, nodes: newNodes(u.Root()), timeout: timeout, logLine: cfg.Log}
	u.OnGone = func(n *union.Inode) {
		f.nodes.gone(n)
		f.late.take(n)
		f.trimmer.count()
	}
	f.server = transport.NewServer(dev, f, serving(cfg))
	s := &Server{face: f, target: cfg.Target, own: cfg.FD < 0, dev: dev, done: make(chan struct{})}
	go s.serve()
	select {
	case <-f.server.Ready():
		return s, nil
	case <-s.done:
		if s.err == nil {
			s.err = errors.New("the kernel closed the connection before the mount answered")
		}
		return nil, s.err
	}
}

func (s *Server) serve() {
	err := s.face.server.Serve()
	s.dev.Close()
	s.once.Do(func() { s.err = err; close(s.done) })
}

// connect gets the FUSE descriptor: handed in, or from a mount of our own.
func connect(cfg Config, u *union.Union) (*transport.Device, error) {
	if cfg.FD >= 0 {
		return transport.FromFD(cfg.FD)
	}
	return transport.Mount(cfg.Target, mountOptions(cfg, u))
}

func mountOptions(cfg Config, u *union.Union) transport.MountOptions {
	options := cfg.Options
	if u.ReadOnly() {
		options = append(options[:len(options):len(options)], "ro")
	}
	return transport.MountOptions{Source: cfg.Source, Subtype: cfg.Subtype, Options: options}
}

// serving says what we want of the kernel; see doc.go for why.
func serving(cfg Config) transport.Options {
	o := transport.Options{
		Want: fuse.CAP_ASYNC_READ | fuse.CAP_BIG_WRITES | fuse.CAP_MAX_PAGES | fuse.CAP_PARALLEL_DIROPS |
			fuse.CAP_ASYNC_DIO | fuse.CAP_NO_OPEN_SUPPORT | fuse.CAP_NO_OPENDIR_SUPPORT |
			fuse.CAP_READDIRPLUS | fuse.CAP_DONT_MASK | fuse.CAP_EXPLICIT_INVAL_DATA | fuse.CAP_CACHE_SYMLINKS |
			fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_SETXATTR_EXT | fuse.CAP_EXPORT_SUPPORT,
		MaxWrite: cfg.MaxWrite,
		MayHalt:  cfg.MayHalt,
		Uring:    !cfg.NoUring,

		Passthrough: cfg.passes(),
		Log:         cfg.Log,
	}
	// Who writes beyond a quota hears of it at once. Where nobody writes, closing
	// would cost what the kernel knows of a file's blocks (fuse_flush).
	if !cfg.NoWriteback && !cfg.Union.Live && cfg.Union.Quota <= 0 && cfg.Union.Upper != "" {
		o.Want |= fuse.CAP_WRITEBACK_CACHE
	}
	if !cfg.Union.NoACL && !cfg.Union.NoXattrs {
		o.Want |= fuse.CAP_POSIX_ACL
	}
	if cfg.Debug {
		o.Debug = cfg.Log
	}
	return o
}

// Wait blocks until the union is unmounted, by whomever.
func (s *Server) Wait() error {
	<-s.done
	return s.err
}

// Unmount unmounts cleanly and waits for the last request; a busy mount is an
// error and stays.
func (s *Server) Unmount() error {
	if !s.own {
		s.dev.Close()
		return nil
	}
	if err := transport.Unmount(s.target); err != nil {
		return err
	}
	return s.Wait()
}

// Stats is a table of what was served so far.
func (s *Server) Stats() string { return s.face.server.Stats().String() }
