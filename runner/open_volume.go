package runner

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/volumes"
)

// ensure makes a mount's volume where it may. One that is there may have any
// driver unless one was asked for.
func (r *Runner) ensure(ctx context.Context, m *Mount) error {
	if r.Volumes == nil {
		return errors.New("no store of volumes is open")
	}
	if m.Driver == "" || m.NoCreate {
		_, err := r.Volumes.Adopt(ctx, m.Source)
		if m.NoCreate || !volumes.IsNotFound(err) {
			return err
		}
	}
	_, err := r.Volumes.Create(ctx, volumes.Request{
		Name: m.Source, Driver: m.Driver, Options: m.Options, Labels: m.Labels, Anonymous: m.Anonymous,
	})
	return err
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
		if err := use.Release(context.WithoutCancel(ctx)); err != nil {
			m.r.Warn(fmt.Sprintf("%s: %v", mount.title(), err))
		}
	})
	if !mount.NoCopy {
		err := use.Fill(ctx, func(dir int, foreign bool) (bool, error) {
			return m.fill(ctx, mount.Target, dir, foreign)
		})
		if err != nil {
			return nil, fmt.Errorf("it can't be filled from the image, which the option nocopy leaves out: %w", err)
		}
	}
	place := use.Path()
	if mount.Subpath != "" {
		fd, err := openIn(place, mount.Subpath)
		if err != nil {
			return nil, fmt.Errorf("the subpath %s: %w", mount.Subpath, err)
		}
		h.later(func() { unix.Close(fd) })
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
func (m *monitor) fill(ctx context.Context, place string, dir int, foreign bool) (filled bool, err error) {
	err = m.inOwnRoot(func(root int) error {
		filled, err = m.fillFrom(ctx, root, place, dir, foreign)
		return err
	})
	return filled, err
}

func (m *monitor) fillFrom(ctx context.Context, root int, place string, dir int, foreign bool) (filled bool, err error) {
	from, err := openBelow(root, place, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == unix.ENOENT || err == unix.ENOTDIR {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(from)
	o := volumes.CopyOptions{Owner: m.ownerInVolume, Foreign: foreign}
	if layers := m.layerDataBelow(place); layers != nil {
		defer layers.close()
		o.Data = layers.open
	}
	return true, volumes.CopyTree(ctx, from, dir, o)
}

// ownerInVolume is whose a file, which the container's root shows as uid's and gid's,
// is to be in a volume, so that the container sees the image's owner there too: the
// image's where its mount maps owners (mapVolume), and what the container has in that
// one's place where it doesn't.
func (m *monitor) ownerInVolume(uid, gid uint32) (diskUID, diskGID uint32) {
	if m.volumesAsTheyAre() {
		return uid, gid
	}
	return onDisk(m.ids.UIDs, uid), onDisk(m.ids.GIDs, gid)
}

// removeVolumes deletes the volumes that were made for a container alone, which
// is gone, and that no other one has.
func (r *Runner) removeVolumes(ctx context.Context, c *Container) {
	for _, m := range c.Spec.Mounts {
		if m.Type != VolumeMount || !m.Anonymous || r.Volumes == nil {
			continue
		}
		var used *volumes.InUseError
		err := r.Volumes.Remove(ctx, m.Source, false, r.VolumeUsers)
		if err != nil && !volumes.IsNotFound(err) && !errors.As(err, &used) {
			r.Warn(fmt.Sprintf("%s stays: %v", m.title(), err))
		}
	}
}
