package sandbox

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

func propagationSteps(s *Spec) []Step {
	mode, flag := "private", uintptr(unix.MS_PRIVATE)
	if s.receivesMounts() {
		// Mounts of the host arrive below a bind that is a slave only while
		// all above it are slaves too.
		mode, flag = "slave", unix.MS_SLAVE
	}
	return []Step{within("propagation", "all mounts "+mode, func(in *inside) error {
		if err := unix.Mount("", "/", "", flag|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("mounts can't be made %s: %w", mode, err)
		}
		return nil
	})}
}

func (s *Spec) receivesMounts() bool {
	return slices.ContainsFunc(s.Mounts, func(m Mount) bool {
		return slices.ContainsFunc(m.Options, func(o string) bool {
			return slices.Contains([]string{"slave", "rslave", "shared", "rshared"}, o)
		})
	})
}

func rootSteps(s *Spec) []Step {
	from := "a mount that was handed in"
	if s.RootPath != "" {
		from = s.RootPath
	}
	return []Step{within("root", from, (*inside).attachRoot)}
}

// attachRoot puts the root on top of the present one. Nobody sees it there by
// path, since lookups begin below what is mounted on "/"; it is reached by its
// descriptor alone, and needs no directory of the host.
func (in *inside) attachRoot() error {
	if in.root < 0 {
		fd, err := unix.OpenTree(unix.AT_FDCWD, in.spec.RootPath, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("%s: %w", in.spec.RootPath, err)
		}
		in.root = fd
	}
	attr := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if in.spec.receivesMounts() {
		attr.Propagation = unix.MS_SLAVE
	}
	if err := unix.MountSetattr(in.root, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("the propagation of the root: %w", err)
	}
	if err := unix.MoveMount(in.root, "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("the root can't be attached: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(in.root, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	return nil
}

func pivotSteps(s *Spec) []Step {
	steps := []Step{within("pivot", "the root becomes /, the host's is gone", (*inside).pivot)}
	if s.ReadOnly {
		steps = append(steps, within("read-only", "/", func(in *inside) error {
			attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
			return unix.MountSetattr(in.root, "", unix.AT_EMPTY_PATH, &attr)
		}))
	}
	return steps
}

// pivot needs no directory for the old root: with "." for both the old one ends
// on top of the new one, from where it is detached (pivot_root(2),
// "pivot_root(".", ".")").
func (in *inside) pivot() error {
	if err := unix.Fchdir(in.root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("the host's root can't be detached: %w", err)
	}
	return unix.Chdir("/")
}
