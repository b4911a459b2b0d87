package driver

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/union"
	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// unionDriver mounts this program's own union. The process that mounts serves.
type unionDriver struct{ uppers }

func (d *unionDriver) Name() string { return "union" }

// fuseDevice is where requests come from; tests look for another.
var fuseDevice = "/dev/fuse"

func (d *unionDriver) Probe() Probe {
	fd, err := unix.Open(fuseDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
		return Probe{OK: true, Found: []string{fuseDevice + " can be opened", idsFound(d.s)}}
	}
	p := Probe{Found: []string{fmt.Sprintf("%s: %v", fuseDevice, err)}}
	switch err {
	case unix.ENOENT, unix.ENODEV, unix.ENXIO:
		p.Missing = fuseDevice + " isn't there: load the kernel's module with modprobe fuse, or give the container the device"
	case unix.EACCES, unix.EPERM:
		p.Missing = fmt.Sprintf("uid %d may not open %s: root can allow it with chmod 666 %s", unix.Geteuid(), fuseDevice, fuseDevice)
	default:
		p.Missing = fmt.Sprintf("%s can't be opened: %v", fuseDevice, err)
	}
	return p
}

func idsFound(s *layerstore.Store) string {
	if s.IDs() == layertar.SingleID {
		return "the store keeps owners in attributes"
	}
	return "the store keeps real owners"
}

func (d *unionDriver) Prepare(_ context.Context, st *layerstore.Stage, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	return d.prepare(d.Name(), st, n)
}

func (d *unionDriver) Mount(_ context.Context, n layerstore.Snapshot, target string, o MountOptions) (Mount, error) {
	m, err := d.serve(&n, o, func(cfg fs.Config) (*fs.Server, error) {
		cfg.Target = target
		return fs.Mount(cfg)
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (d *unionDriver) Detach(_ context.Context, n layerstore.Snapshot, o MountOptions) (Mount, *os.File, error) {
	var file *os.File
	m, err := d.serve(&n, o, func(cfg fs.Config) (*fs.Server, error) {
		cfg.Target = "the root of " + n.Short()
		srv, fd, err := fs.MountDetached(cfg)
		if err == nil {
			file = os.NewFile(uintptr(fd), cfg.Target)
		}
		return srv, err
	})
	if err != nil {
		return nil, nil, err
	}
	return m, file, nil
}

// serve mounts a snapshot in the way that mount says.
func (d *unionDriver) serve(n *layerstore.Snapshot, o MountOptions, mount func(fs.Config) (*fs.Server, error)) (*served, error) {
	if _, err := mountAttrs(o.Options); err != nil {
		return nil, err
	}
	use, err := takeUse(n)
	if err != nil {
		return nil, err
	}
	cfg := d.config(n.Layers, "", o)
	cfg.Source = "unionfs-" + n.ID
	if n.Base != "" {
		cfg.Union.Lower = lowersOf(d.s, n)
		changing(&cfg)
	}
	if o.ReadOnly {
		cfg.Union.Lower = append([]string{n.Upper()}, cfg.Union.Lower...)
	} else {
		cfg.Union.Upper, cfg.Union.Work, cfg.Union.Volatile = n.Upper(), n.Work(), o.Volatile
		cfg.Union.Quota = o.Quota
	}
	srv, err := mount(cfg)
	if err != nil {
		use.release()
		return nil, fmt.Errorf("snapshot %s: %w", n.Short(), err)
	}
	return &served{srv, sync.OnceFunc(use.release)}, nil
}

// View keeps the layers from being collected for as long as it is served.
func (d *unionDriver) View(_ context.Context, chain []layerstore.DiffID, target string, o MountOptions) (Mount, error) {
	if _, err := mountAttrs(o.Options); err != nil {
		return nil, err
	}
	st, err := d.s.Begin()
	if err != nil {
		return nil, err
	}
	var srv *fs.Server
	cfg := d.config(chain, target, o)
	if err = st.Hold(nil, chain); err == nil && needsRoot(d.s, chain) {
		err = d.addRoot(&cfg, st, chain)
	}
	if err == nil {
		srv, err = fs.Mount(cfg)
	}
	if err != nil {
		st.Close()
		return nil, err
	}
	return &served{srv, sync.OnceFunc(st.Close)}, nil
}

func (d *unionDriver) addRoot(cfg *fs.Config, st *layerstore.Stage, chain []layerstore.DiffID) error {
	dir, err := st.TempDir()
	if err != nil {
		return err
	}
	cfg.Union.Lower = append([]string{dir}, cfg.Union.Lower...)
	return makeRoot(d.s, dir, chain)
}

func (d *unionDriver) config(chain []layerstore.DiffID, target string, o MountOptions) fs.Config {
	cfg := fs.Config{
		Target: target, FD: -1, Options: o.Options, Log: o.Log,
		Union: union.Config{Lower: d.s.LowerDirs(chain), Warn: o.Log},
	}
	cfg.Union.UIDMap, cfg.Union.GIDMap = unionRanges(o.UIDs), unionRanges(o.GIDs)
	if d.s.IDs() == layertar.SingleID {
		cfg.Union.XattrPermissions = 2
		if unix.Geteuid() == 0 {
			// In a namespace with one id all others are nobody's, and not even
			// root may use what they own: all is shown as root's, and keeps
			// the owners that it has.
			root := uint32(0)
			cfg.Union.SquashUID, cfg.Union.SquashGID = &root, &root
		}
	}
	return cfg
}

func unionRanges(ranges []IDRange) (out []union.IDRange) {
	for _, r := range ranges {
		out = append(out, union.IDRange{Host: r.Disk, Container: r.Shown, Count: r.Count})
	}
	return out
}

// served is a mount that this process serves.
type served struct {
	*fs.Server
	release func()
}

func (m *served) Serves() bool { return true }

func (m *served) Unmount() error {
	err := m.Server.Unmount()
	if err == nil {
		m.release()
	}
	return err
}

func (m *served) Wait() error {
	defer m.release()
	return m.Server.Wait()
}
