package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/volumes"
)

// VolumeKeeper is what the runner needs of who keeps volumes.
type VolumeKeeper interface {
	// Ensure makes a volume unless it is there.
	Ensure(ctx context.Context, v NewVolume) error
	// Use holds a volume for one run of a container, whose use has an id that no
	// other has.
	Use(ctx context.Context, name, id string) (VolumeUse, error)
	// Get answers what driver keeps a volume, and where its files are.
	Get(ctx context.Context, name string) (driver, mountpoint string, err error)
	// Remove deletes a volume that nobody uses.
	Remove(ctx context.Context, name string) error
}

// NewVolume says how a volume is made.
type NewVolume struct {
	Name, Driver    string
	Options, Labels map[string]string
	Anonymous       bool
}

// VolumeUse is a container's hold on a volume.
type VolumeUse interface {
	// Path is where its files are.
	Path() string
	// Fill has fill put something into a directory that becomes the volume, all
	// or nothing, if the volume is new and nothing was ever put into it.
	Fill(ctx context.Context, fill func(dir int) error) error
	Release() error
}

// ensure makes a mount's volume where it may.
func (r *Runner) ensure(ctx context.Context, m *Mount) error {
	if r.Volumes == nil {
		return errors.New("no store of volumes is open")
	}
	if m.NoCreate {
		_, _, err := r.Volumes.Get(ctx, m.Source)
		return err
	}
	return r.Volumes.Ensure(ctx, NewVolume{Name: m.Source, Driver: m.Driver, Options: m.Options, Labels: m.Labels, Anonymous: m.Anonymous})
}

// MakeVolumes makes the volumes that a container's mounts name, unless they are
// there. Its start does so too.
func (r *Runner) MakeVolumes(ctx context.Context, c *Container) error {
	for _, m := range c.Spec.Mounts {
		if m.Type != VolumeMount {
			continue
		}
		if err := r.ensure(ctx, &m); err != nil {
			return fmt.Errorf("%s: %w", m.title(), err)
		}
	}
	return nil
}

// openVolume makes a mount of a volume.
func (m *monitor) openVolume(ctx context.Context, mount *Mount, h *held) (*os.File, error) {
	if err := m.r.ensure(ctx, mount); err != nil {
		return nil, err
	}
	use, err := m.r.Volumes.Use(ctx, mount.Source, m.useID())
	if err != nil {
		return nil, err
	}
	h.later(func() {
		if err := use.Release(); err != nil {
			m.r.Warn(fmt.Sprintf("%s: %v", mount.title(), err))
		}
	})
	if !mount.NoCopy {
		if err := use.Fill(ctx, func(dir int) error { return m.fill(mount.Target, dir) }); err != nil {
			return nil, fmt.Errorf("it can't be filled from the image: %w", err)
		}
	}
	place := use.Path()
	if mount.Subpath != "" {
		fd, err := openIn(place, mount.Subpath)
		if err != nil {
			return nil, fmt.Errorf("the subpath %s: %w", mount.Subpath, err)
		}
		h.later(sync.OnceFunc(func() { unix.Close(fd) }))
		place = fmt.Sprintf("/proc/self/fd/%d", fd)
	}
	return m.openPlace(ctx, mount, place, h)
}

// useID tells a container's hold on a volume from all others, those of its other
// mounts and runs among them.
func (m *monitor) useID() string {
	return m.c.ID + "-" + anonymousName()[:12]
}

// openIn opens a path in a directory that no symlink leads out of.
func openIn(dir, name string) (int, error) {
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	return openBelow(root, name, unix.O_PATH, 0)
}

// fill copies what the container's image has at a place into a new volume. Where
// it has no directory there is nothing to copy.
func (m *monitor) fill(place string, dir int) error {
	from, err := openBelow(int(m.root.Fd()), place, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(from)
	layers := m.layerDataBelow(place)
	if layers == nil {
		return copyTree(from, dir, nil)
	}
	defer layers.close()
	return copyTree(from, dir, layers.open)
}

// removeVolumes deletes the volumes that were made for a container alone and
// that no other one has.
func (r *Runner) removeVolumes(ctx context.Context, c *Container) {
	for _, m := range c.Spec.Mounts {
		if m.Type != VolumeMount || !m.Anonymous || r.Volumes == nil {
			continue
		}
		users, err := r.VolumeUsers(m.Source)
		if err == nil && (len(users) > 1 || len(users) == 1 && users[0] != c.nameOrID()) {
			continue
		}
		var used *volumes.InUseError
		if err == nil {
			err = r.Volumes.Remove(ctx, m.Source)
		}
		if err != nil && !volumes.IsNotFound(err) && !errors.As(err, &used) {
			r.Warn(fmt.Sprintf("%s stays: %v", m.title(), err))
		}
	}
}
