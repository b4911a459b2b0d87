package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// idMapSteps make the user namespaces whose maps id-mapped binds take. They are
// made outside: maps are written through /proc, which isn't the sandbox's yet
// inside, and once the root is mounted on "/" our process there counts as
// chrooted (current_chrooted in fs/namespace.c), and may make none.
func idMapSteps(s *Spec) (steps []Step) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if m.IDMap == nil {
			continue
		}
		steps = append(steps, outside("ids", "of the mount on "+m.Target+": "+m.IDMap.String(), func(b *builder) error {
			ns, err := mappedNamespace(*m.IDMap)
			if err == nil {
				b.idMaps[i] = ns
			}
			if m.Optional {
				return nil
			}
			return err
		}))
	}
	return steps
}

// mapMount makes a bind an id-mapped one (mount_setattr(2), "ID-mapped
// mounts").
func mapMount(fd int, ns *os.File, deep bool) error {
	if ns == nil {
		return fmt.Errorf("its maps can't be had: %w", unix.EPERM)
	}
	flags := uint(unix.AT_EMPTY_PATH)
	if deep {
		flags |= unix.AT_RECURSIVE
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns.Fd())}
	if err := unix.MountSetattr(fd, "", flags, &attr); err != nil {
		return fmt.Errorf("can't be id-mapped: %w (its file system must know how to, and its namespace must be the caller's own)", err)
	}
	return nil
}

// mappedNamespace makes a user namespace for the sake of its maps: a process
// that waits in it for ever is ended once the namespace is open.
func mappedNamespace(m IDMaps) (*os.File, error) {
	pid, err := fork(unix.CLONE_NEWUSER, []call{newCall("wait", unix.SYS_PPOLL, 0, 0, 0, 0, 0)}, 2)
	if err != nil {
		return nil, startError(err)
	}
	defer func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
	}()
	if err := m.set(pid); err != nil {
		return nil, err
	}
	return os.Open(fmt.Sprintf("/proc/%d/ns/user", pid))
}
