package transport

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Unmount unmounts target. A busy mount is an error that says so.
func Unmount(target string) error {
	return unmount(target, 0, "-u")
}

// UnmountLazy takes target out of sight now; it ends when nobody uses it.
func UnmountLazy(target string) error {
	return unmount(target, unix.MNT_DETACH, "-uz")
}

func unmount(target string, flags int, helperFlag string) error {
	err := unix.Unmount(target, flags)
	switch err {
	case nil:
		return nil
	case unix.EPERM:
		return unmountByHelper(target, helperFlag)
	case unix.EBUSY:
		return fmt.Errorf("%s is busy: somebody has files open or works in it: %w", target, err)
	case unix.EINVAL:
		return fmt.Errorf("%s is not mounted: %w", target, err)
	}
	return fmt.Errorf("%s: unmount: %w", target, err)
}

func unmountByHelper(target, flag string) error {
	helper, err := helperPath()
	if err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := exec.Command(helper, flag, "--", target)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if strings.Contains(strings.ToLower(said), "busy") {
			return fmt.Errorf("%s is busy: somebody has files open or works in it: %w", target, unix.EBUSY)
		}
		if strings.Contains(said, "not found in /etc/mtab") {
			return fmt.Errorf("%s is not mounted: %w", target, unix.EINVAL)
		}
		return fmt.Errorf("%s: unmount: %s", target, said)
	}
	return nil
}
