package driver

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// bases are the trees that chains make, each kept once.
type bases interface {
	// with makes a chain's base if there is none, and calls do with its tree,
	// which is there as long as do runs.
	with(ctx context.Context, chain []layerstore.DiffID, do func(dir string) error) error
	// collect removes those that nothing needs, unless somebody uses some just
	// now: then a later one does.
	collect(ctx context.Context) error
}

// volume is a way to make directories that are bases. Directories that are made
// aren't there before.
type volume interface {
	make(dir string) error
	// derive makes one that begins as the base from; errNoDerive where that
	// would save nothing.
	derive(dir, from string) error
	// publish makes the base place of dir, at once and for good. Another one
	// that is there already stays.
	publish(dir, place string) error
	remove(dir string) error
}

var errNoDerive = errors.New("bases can't be made of others")

// folder keeps the bases of a driver in the store's folder chains/DRIVER/CHAIN,
// the locks under which each is made beside them, and chains/DRIVER.lock, which
// users share and the collector has alone.
type folder struct {
	s    *layerstore.Store
	name string
	vol  volume
	// fill makes a base as the package's fill does; nil is that.
	fill func(ctx context.Context, dir string, chain, rest []layerstore.DiffID) error
	// images keeps also the bases of the images' chains, for snapshots to come.
	images bool
}

func (b *folder) dir() string { return filepath.Join(b.s.Root(), "chains", b.name) }

func (b *folder) place(chain []layerstore.DiffID) string {
	return filepath.Join(b.dir(), layerstore.ChainOf(chain).Hex())
}

const lockSuffix = ".lock"

func (b *folder) with(ctx context.Context, chain []layerstore.DiffID, do func(dir string) error) error {
	if len(chain) == 0 {
		return errNoLayers
	}
	guard, err := takeLock(ctx, b.dir()+lockSuffix, unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer guard.release()
	place := b.place(chain)
	if !exists(place) {
		if err := b.makeAlone(ctx, chain, place); err != nil {
			return err
		}
	}
	return do(place)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// makeAlone makes a base while others who need it wait.
func (b *folder) makeAlone(ctx context.Context, chain []layerstore.DiffID, place string) error {
	alone, err := takeLock(ctx, place+lockSuffix, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer alone.release()
	if exists(place) {
		return nil
	}
	st, err := b.s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Hold(nil, chain); err != nil {
		return err
	}
	temp, err := st.TempDir()
	if err != nil {
		return err
	}
	dir := filepath.Join(temp, "base")
	rest, err := b.begin(dir, chain)
	if err != nil {
		return err
	}
	if b.fill != nil {
		err = b.fill(ctx, dir, chain, rest)
	} else {
		err = fill(ctx, b.s, dir, chain, rest)
	}
	if err != nil {
		return err
	}
	return b.vol.publish(dir, place)
}

// begin makes the directory of a base to be, out of the base of the longest part
// of the chain that has one, and answers the layers that are missing in it.
func (b *folder) begin(dir string, chain []layerstore.DiffID) (rest []layerstore.DiffID, err error) {
	for n := len(chain) - 1; n > 0; n-- {
		from := b.place(chain[:n])
		if !exists(from) {
			continue
		}
		if err := b.vol.derive(dir, from); err != errNoDerive {
			return chain[n:], err
		}
		break
	}
	return chain, b.vol.make(dir)
}

func (b *folder) collect(context.Context) error {
	if !isDir(b.dir()) {
		return nil
	}
	guard, err := tryLock(b.dir()+lockSuffix, unix.LOCK_EX)
	if err == unix.EWOULDBLOCK {
		return nil
	}
	if err != nil {
		return err
	}
	defer guard.release()
	needed, err := neededBases(b.s, b.name, b.images)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(b.dir())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(b.dir(), e.Name())
		chain, isLock := strings.CutSuffix(e.Name(), lockSuffix)
		switch {
		case needed[chain] || mountedWith(chain).there():
		case isLock:
			err = os.Remove(path)
		default:
			err = b.vol.remove(path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// neededBases are the chains, in hexadecimal, that a driver's snapshots began
// as, and those that images have.
func neededBases(s *layerstore.Store, driver string, images bool) (map[string]bool, error) {
	needed := map[string]bool{}
	snapshots, err := s.Snapshots()
	if err != nil {
		return nil, err
	}
	for _, n := range snapshots {
		if n.Driver == driver {
			needed[layerstore.ChainOf(n.Layers).Hex()] = true
		}
	}
	if !images {
		return needed, nil
	}
	all, err := s.Images()
	if err != nil {
		return nil, err
	}
	for _, img := range all {
		needed[layerstore.ChainOf(img.Layers).Hex()] = true
	}
	return needed, nil
}
