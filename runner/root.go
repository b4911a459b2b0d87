package runner

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// Plan answers what Monitor would tell the sandbox, without running anything.
func (r *Runner) Plan(ctx context.Context, c *Container) (sandbox.Spec, error) {
	m := &monitor{r: r, c: c}
	mount, err := m.openRoot(ctx)
	if err != nil {
		return sandbox.Spec{}, err
	}
	defer letGo(mount, m.root)
	err = m.makePlan()
	return m.plan, err
}

// openRoot mounts the container's root, with the owners that the container sees.
func (m *monitor) openRoot(ctx context.Context) (mount driver.Mount, err error) {
	m.facts = Look()
	if m.o.Facts != nil {
		m.facts = *m.o.Facts
	}
	if m.ids, err = m.c.Spec.ownIDs(m.facts); err != nil {
		return nil, err
	}
	mount, m.root, err = m.r.detach(ctx, m.c, m.ids)
	return mount, err
}

// inOwnRoot runs do, which looks into the root or changes it. This process may be
// the one that serves it.
func (m *monitor) inOwnRoot(do func(root int) error) error {
	return driver.Apart(func() error { return do(int(m.root.Fd())) })
}

// detach mounts a container's root in no tree. With ids it shows owners as the
// user namespace that has them does.
func (r *Runner) detach(ctx context.Context, c *Container, ids sandbox.IDMaps) (driver.Mount, *os.File, error) {
	d, err := r.driver(c)
	if err != nil {
		return nil, nil, err
	}
	o := driver.MountOptions{Log: r.Warn, Quota: c.Spec.RootSize}
	if !c.Spec.Privileged {
		// A container may make nodes (CAP_MKNOD), and there may be no devices
		// cgroup to keep it from the machine's disks: what it may use is in
		// /dev, which is a mount of its own.
		o.Options = []string{"nodev"}
	}
	if len(ids.UIDs) == 0 {
		return d.Detach(ctx, c.Snapshot, o)
	}
	if d.Name() == "union" {
		o.UIDs, o.GIDs = shownAs(ids.UIDs), shownAs(ids.GIDs)
		return d.Detach(ctx, c.Snapshot, o)
	}
	mount, root, err := d.Detach(ctx, c.Snapshot, o)
	if err != nil {
		return nil, nil, err
	}
	if c.inPlace() {
		err = c.showInPlace(root, ids)
	} else if err = sandbox.MapIDs(root, ids, false); err != nil {
		err = fmt.Errorf("--userns=%s: the files of the storage driver %s %w: --storage-driver union can show any owners", c.Spec.UserMode, d.Name(), err)
	}
	if err != nil {
		letGo(mount, root)
		return nil, nil, err
	}
	return mount, root, nil
}

// shownAs has a mount show owners as a user namespace's maker knows them.
func shownAs(ranges []sandbox.IDRange) (out []driver.IDRange) {
	for _, r := range ranges {
		out = append(out, driver.IDRange{Disk: uint32(r.Inside), Shown: uint32(r.Host), Count: uint32(r.Count)})
	}
	return out
}

// letGo gives a root back that nobody else has any more, and returns when it is
// gone.
func letGo(mount driver.Mount, root *os.File) {
	root.Close()
	if mount.Serves() {
		_ = mount.Wait() // its incidents are logged
	} else {
		_ = mount.Unmount() // it is in no tree
	}
}

// syncRoot writes back what is cached of the root's file system. A mount's own
// descriptor is one that only names it (O_PATH).
func syncRoot(root int) error {
	fd, err := unix.Openat(root, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Syncfs(fd)
}
