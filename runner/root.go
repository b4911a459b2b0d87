package runner

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// Plan answers what Monitor would tell the sandbox, without running anything.
func (r *Runner) Plan(ctx context.Context, c *Container) (sandbox.Spec, error) {
	mount, root, err := r.detach(ctx, c)
	if err != nil {
		return sandbox.Spec{}, err
	}
	defer letGo(mount, root)
	m := &monitor{r: r, c: c, root: root}
	err = m.makePlan()
	return m.plan, err
}

// detach mounts a container's root in no tree.
func (r *Runner) detach(ctx context.Context, c *Container) (driver.Mount, *os.File, error) {
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
	return d.Detach(ctx, c.Snapshot, o)
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
