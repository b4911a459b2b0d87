package driver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/hostfs"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// Passing is a union that nobody keeps: what is written in it is gone when it is
// unmounted, or when the process that made it is dead (a later command then
// sweeps its stage).
type Passing struct {
	// Chain is what it shows, or Dir, a directory of this machine.
	Chain []layerstore.DiffID
	Dir   string
	// Writable lets it be written to.
	Writable bool
}

// Pass mounts a passing union in no tree: by the union driver where that can
// work, else by the kernel's overlayfs.
func Pass(_ context.Context, s *layerstore.Store, p Passing, o MountOptions) (Mount, *os.File, error) {
	if p.Dir == "" && len(p.Chain) == 0 {
		return nil, nil, errNoLayers
	}
	st, err := s.Begin()
	if err != nil {
		return nil, nil, err
	}
	m, file, err := pass(s, st, p, o)
	if err != nil {
		st.Close()
		return nil, nil, fmt.Errorf("a union over %s: %w", p.what(), err)
	}
	return m, file, nil
}

func (p *Passing) what() string {
	if p.Dir != "" {
		return p.Dir
	}
	return "an image"
}

// pass makes the mount, which closes the stage with its end.
func pass(s *layerstore.Store, st *layerstore.Stage, p Passing, o MountOptions) (Mount, *os.File, error) {
	if err := st.Hold(nil, p.Chain); err != nil {
		return nil, nil, err
	}
	lowers := s.LowerDirs(p.Chain)
	if p.Dir != "" {
		lowers = []string{p.Dir}
	}
	top, err := st.TempDir()
	if err != nil {
		return nil, nil, err
	}
	upper, work := filepath.Join(top, "upper"), filepath.Join(top, "work")
	for _, dir := range []string{upper, work} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, nil, err
		}
	}
	if err := p.adorn(s, upper); err != nil {
		return nil, nil, err
	}
	if !p.Writable {
		lowers, upper, work = append([]string{upper}, lowers...), "", ""
	}
	union := &unionDriver{uppers{s: s}}
	probe := union.Probe()
	switch {
	case probe.OK:
		return union.pass(st, p, lowers, upper, work, o)
	case p.Dir == "" && s.IDs() == layertar.SingleID:
		return nil, nil, probe.Err("union") // the kernel doesn't read the layers' owners
	}
	overlay := overlayMount{source: "overlay", lowers: lowers, upper: upper, work: work, options: overlayFeatures(), general: o.Options}
	file, err := overlay.detached()
	if err != nil {
		return nil, nil, err
	}
	return detachedMount{sync.OnceFunc(st.Close)}, file, nil
}

// adorn makes the root of upper, which is what the union shows, like the one
// below.
func (p *Passing) adorn(s *layerstore.Store, upper string) error {
	if p.Dir == "" {
		return makeRoot(s, upper, p.Chain)
	}
	return adornLike(upper, p.Dir)
}

// adornLike gives a directory the owner, mode and times of another one.
func adornLike(upper, dir string) error {
	to, err := hostfs.OpenLayer(upper)
	if err != nil {
		return err
	}
	defer hostfs.Close(to)
	from, err := hostfs.OpenLayer(dir)
	if err != nil {
		return err
	}
	defer hostfs.Close(from)
	var st unix.Statx_t
	if err := hostfs.Statx(from, "", &st); err != nil {
		return err
	}
	// An owner without a number in this user namespace can't be had.
	if err := hostfs.Chown(to, "", st.Uid, st.Gid); err != nil && err != unix.EPERM && err != unix.EINVAL {
		return err
	}
	if err := hostfs.Chmod(to, "", uint32(st.Mode)&0o7777); err != nil {
		return err
	}
	return hostfs.Utimes(to, "", hostfs.Timespec(st.Atime), hostfs.Timespec(st.Mtime))
}

func (d *unionDriver) pass(st *layerstore.Stage, p Passing, lowers []string, upper, work string, o MountOptions) (Mount, *os.File, error) {
	if _, err := mountAttrs(o.Options); err != nil {
		return nil, nil, err
	}
	cfg := d.config(p.Chain, "a union over "+p.what(), o)
	cfg.Union.Lower, cfg.Union.Upper, cfg.Union.Work = lowers, upper, work
	cfg.Union.Volatile = upper != "" // nothing of it is to last
	if p.Dir != "" {
		changing(&cfg)
	}
	srv, fd, err := fs.MountDetached(cfg)
	if err != nil {
		return nil, nil, err
	}
	return &served{srv, sync.OnceFunc(st.Close)}, os.NewFile(uintptr(fd), cfg.Target), nil
}

// changing is for lowers that are the machine's, whose users may change them
// meanwhile.
func changing(cfg *fs.Config) {
	live := time.Duration(0)
	cfg.Timeout = &live
}
