package runner

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

// overRootfs ends the word of a directory that is to stay as it is.
const overRootfs = ":O"

// createOn makes a container whose root is a directory of this machine, or a
// union over it.
func (r *Runner) createOn(ctx context.Context, name string, s Spec) (Container, error) {
	if err := s.checkRootfs(); err != nil {
		return Container{}, fmt.Errorf("--rootfs=%s: %w", s.Rootfs, err)
	}
	dir, over := strings.CutSuffix(s.Rootfs, overRootfs)
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Container{}, err
	}
	s.Rootfs = dir
	d := driver.Directory(r.Store)
	if over {
		s.Rootfs += overRootfs
		if d, err = r.unionDriver(); err != nil {
			return Container{}, fmt.Errorf("--rootfs=%s: %w", s.Rootfs, err)
		}
	} else if s.RootSize > 0 {
		return Container{}, fmt.Errorf("--storage-opt size=%d: what is written to %s itself can't be limited: --rootfs %s%s can", s.RootSize, dir, dir, overRootfs)
	}
	st, err := r.Store.Begin()
	if err != nil {
		return Container{}, err
	}
	defer st.Close()
	if err := s.publishAll(nil); err != nil {
		return Container{}, err
	}
	if err := r.settleStorage(&s, nil); err != nil {
		return Container{}, err
	}
	c, err := r.publish(ctx, d, st, s, layerstore.Snapshot{Name: name, Base: dir})
	if err != nil {
		return c, fmt.Errorf("--rootfs=%s: %w", s.Rootfs, err)
	}
	return c, nil
}

// unionDriver is the one that takes directories that aren't layers.
func (r *Runner) unionDriver() (driver.Driver, error) {
	name := r.Driver
	if name == "auto" || name == "" {
		name = "union"
	}
	d, _, err := driver.Pick(name, r.Store)
	if err == nil && d.Name() != "union" {
		err = fmt.Errorf("the storage driver %s takes images alone: --storage-driver union can be over a directory", name)
	}
	return d, err
}

// lowers are the directories that a container began with, the highest first.
func (r *Runner) lowers(n *layerstore.Snapshot) []string {
	if n.Base != "" {
		return []string{n.Base}
	}
	return r.Store.LowerDirs(n.Layers)
}
