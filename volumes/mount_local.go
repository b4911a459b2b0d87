package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// SharedError says that a volume can't have another user here.
type SharedError struct {
	Name string
	By   []string
}

func (e *SharedError) Error() string {
	return fmt.Sprintf("volume %q is in use by %v, in another user namespace, whose mounts can't be seen in this one: end that use first", e.Name, e.By)
}

// mountLocal makes a volume's files appear. The caller has it locked; others are
// its other uses.
func (s *Store) mountLocal(ctx context.Context, m *meta, others []string) (path string, err error) {
	data := s.path(m.Name, dataDir)
	o, err := parseLocal(m.Options)
	if err != nil {
		return "", err
	}
	if m.Stack == nil && o.kernel == nil {
		return data, nil
	}
	if m.Stack != nil || !o.kernel.bind {
		if err := s.seenHere(m, others); err != nil {
			return "", err
		}
	}
	return data, s.mountShared(ctx, m, o.kernel, data, others)
}

// seenHere makes sure that what the others have mounted is seen by this process.
func (s *Store) seenHere(m *meta, others []string) error {
	here, err := s.namespace()
	if err != nil || len(others) == 0 {
		return err
	}
	uses, err := s.findUses(m.Name)
	for _, u := range uses {
		if u.Namespace != here && slices.Contains(others, u.ID) {
			return &SharedError{m.Name, others}
		}
	}
	return err
}

// mountShared mounts a volume at its place, unless another use has done so.
func (s *Store) mountShared(ctx context.Context, m *meta, k *kernelMount, data string, others []string) error {
	mounted, err := isMountpoint(data)
	if err != nil {
		return err
	}
	if mounted && m.Stack != nil && !isHeld(s.serverLock(m)) {
		// The server is dead, and with it the mount.
		if err := unix.Unmount(data, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil {
			return &os.PathError{Op: "unmount", Path: data, Err: err}
		}
		mounted = false
	}
	switch {
	case mounted:
		return nil
	case m.Stack != nil:
		return s.serveStack(ctx, m, data)
	case len(others) > 0 && !k.bind:
		return fmt.Errorf("volume %q is in use by %v, but not mounted on %s: is it mounted in another mount namespace?", m.Name, others, data)
	}
	mount, err := k.open()
	if err != nil {
		return err
	}
	defer mount.Close()
	return place(mount, data)
}

// unmountIfUnused takes a mount of ours away when nobody uses the volume.
func (s *Store) unmountIfUnused(m *meta) error {
	uses, err := s.findUses(m.Name)
	if err != nil || len(uses) > 0 {
		return err
	}
	return s.unmountUnused(m)
}

// unmountUnused unmounts what mountShared has mounted. A mount that is busy, by
// somebody whose working directory it is, say, stays: the next use has it again.
func (s *Store) unmountUnused(m *meta) error {
	if m.Driver != Local {
		return nil
	}
	data := s.path(m.Name, dataDir)
	mounted, err := isMountpoint(data)
	if err != nil || !mounted {
		return err
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Unmount(data, unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil || err == unix.EINVAL: // gone meanwhile
			return nil
		case err == unix.EBUSY && time.Now().Before(deadline):
		case err == unix.EBUSY:
			s.warn(fmt.Sprintf("volume %s stays mounted on %s: somebody is busy there", m.Name, data))
			return nil
		default:
			return errors.Join(&os.PathError{Op: "unmount", Path: data, Err: err})
		}
	}
}
