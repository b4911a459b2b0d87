package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Assembled runs do while mounts are attached to a root, as they are in a sandbox:
// its descriptor leads into them. Root and mounts are in no tree before, and
// targets that aren't there are made. What can't be attached is left out when refused
// answers no error.
//
// They are attached in a mount namespace of the calling thread's own, where nobody
// sees them. The thread must end with this, as driver.Apart's do.
func Assembled(root *os.File, mounts []Mount, refused func(m *Mount, err error) error, do func() error) (err error) {
	outer, err := unix.Open("/proc/thread-self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/proc/thread-self/ns/mnt", Err: err}
	}
	defer unix.Close(outer)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a mount namespace: %w", err)
	}
	// The namespace ends here, not a moment later with its thread: whoever releases
	// the mounts' sources afterwards finds them unused.
	defer func() { err = errors.Join(err, unix.Setns(outer, unix.CLONE_NEWNS)) }()
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounts can't be made private: %w", err)
	}
	in := &inside{spec: &Spec{Mounts: mounts}, root: int(root.Fd())}
	if err := in.attachRoot(); err != nil {
		return err
	}
	for i := range mounts {
		if err := in.mount(i); err != nil {
			if err := refused(&mounts[i], err); err != nil {
				return err
			}
		}
	}
	return do()
}
