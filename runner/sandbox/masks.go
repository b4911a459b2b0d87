package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func maskSteps(s *Spec) (steps []Step) {
	for _, name := range s.ReadonlyPaths {
		steps = append(steps, within("read-only", name, func(in *inside) error {
			return pathError(in.makeReadOnly(name), name)
		}))
	}
	for _, name := range s.MaskedPaths {
		steps = append(steps, within("mask", name, func(in *inside) error {
			return pathError(in.mask(name), name)
		}))
	}
	return steps
}

// present opens a path that needn't be there.
func (in *inside) present(name string) (fd int, ok bool, err error) {
	fd, err = resolve(in.root, name)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return -1, false, nil
	}
	return fd, err == nil, err
}

// makeReadOnly binds a path onto itself.
func (in *inside) makeReadOnly(name string) error {
	target, ok, err := in.present(name)
	if !ok {
		return err
	}
	defer unix.Close(target)
	fd, err := unix.OpenTree(target, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	o := parseMountOptions([]string{"rro", "rprivate"})
	if err := o.apply(fd); err != nil {
		return err
	}
	return attach(fd, target, &o)
}

// mask hides a directory behind an empty one, all else behind /dev/null. The
// thing that hides is checked to be what it should: an image could have another
// file at that path (CVE-2025-31133), and so the host's is taken.
func (in *inside) mask(name string) error {
	target, ok, err := in.present(name)
	if !ok {
		return err
	}
	defer unix.Close(target)
	var st unix.Stat_t
	if err := unix.Fstat(target, &st); err != nil {
		return err
	}
	o := parseMountOptions([]string{"ro", "nosuid", "nodev", "noexec", "private", "nr_inodes=2", "mode=755"})
	var fd int
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		fd, err = newMount("tmpfs", "tmpfs", &o)
	} else {
		o = parseMountOptions([]string{"ro", "private"})
		fd, err = nullMount(&o)
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return attach(fd, target, &o)
}

func nullMount(o *mountOptions) (int, error) {
	fd, err := cloneMount("/dev/null", false)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		unix.Close(fd)
		return -1, fmt.Errorf("/dev/null of the host isn't the device 1:3")
	}
	return finish(fd, o)
}
