package fstest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// KernelOptions make the kernel's overlayfs as much of a POSIX file system as
// it can be.
const KernelOptions = "redirect_dir=on,metacopy=on,index=on"

// KernelOverlay mounts the kernel's overlayfs until the test ends and returns
// the mount point.
func KernelOverlay(t testing.TB, lowers []string, upper, work, opts string) string {
	t.Helper()
	NeedKernelOverlay(t)
	target := filepath.Join(openTempDir(t), "overlay")
	if err := os.Mkdir(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := mountOverlay(target, Dirs{lowers, upper, work}, opts); err != nil {
		t.Fatalf("overlay on %s: %v", target, err)
	}
	t.Cleanup(func() { unmount(t, target) })
	return target
}

// mountOverlay waits for the mount before it on the same directories: the kernel
// may still be at its end when umount(2) has come back, and says EBUSY.
func mountOverlay(target string, d Dirs, opts string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := mountOverlayOnce(target, d, opts)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// mountOverlayOnce goes through fsconfig(2): mount(2) takes one page of options,
// which a few dozen layers fill, and splits them at commas and colons.
func mountOverlayOnce(target string, d Dirs, opts string) error {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fs) }() // a configuration, not data
	for _, set := range overlaySettings(d, opts) {
		if err := configure(fs, set[0], set[1]); err != nil {
			return fmt.Errorf("%s=%s: %w%s", set[0], set[1], err, kernelLog(fs))
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("create: %w%s", err, kernelLog(fs))
	}
	mnt, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = unix.MoveMount(mnt, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
	return closeAfter(mnt, err)
}

// configure sets a flag when there is no value: userxattr is one.
func configure(fs int, key, value string) error {
	if value == "" {
		return unix.FsconfigSetFlag(fs, key)
	}
	return unix.FsconfigSetString(fs, key, value)
}

func overlaySettings(d Dirs, opts string) [][2]string {
	var out [][2]string
	for _, lower := range d.Lower {
		out = append(out, [2]string{"lowerdir+", lower})
	}
	if d.Upper != "" {
		out = append(out, [2]string{"upperdir", d.Upper}, [2]string{"workdir", d.Work})
	}
	for _, opt := range strings.Split(opts, ",") {
		if key, value, _ := strings.Cut(opt, "="); key != "" {
			out = append(out, [2]string{key, value})
		}
	}
	return out
}

// kernelLog reads what fsconfig's descriptor has to say about an error.
func kernelLog(fs int) string {
	buf := make([]byte, 4096)
	n, err := unix.Read(fs, buf)
	if err != nil || n <= 0 {
		return ""
	}
	return " (" + strings.TrimSpace(string(buf[:n])) + ")"
}

// unmount fails the test when something still holds the mount, and then takes
// it away all the same: it must not outlive the test.
func unmount(t testing.TB, target string) {
	t.Helper()
	err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
	if err == nil {
		return
	}
	t.Errorf("unmount %s: %v", target, err)
	_ = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) // the first error counts
}
