package fstest

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// lacking ends a test that needs what isn't here. In CI that is a failure: a
// suite that skips silently proves nothing.
func lacking(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: "+format, args...)
	}
	t.Skipf("needs "+format, args...)
}

// NeedRoot asks for root of the initial user namespace, which alone may set
// trusted xattrs.
func NeedRoot(t testing.TB) {
	t.Helper()
	if unix.Geteuid() != 0 || !trustedXattrs() {
		lacking(t, "root of the initial user namespace")
	}
}

// NeedFUSE asks for a /dev/fuse that can be opened.
func NeedFUSE(t testing.TB) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		lacking(t, "/dev/fuse: %v", err)
	}
	_ = unix.Close(fd) // nothing was done with it
}

// NeedUserNS asks for user namespaces.
func NeedUserNS(t testing.TB) {
	t.Helper()
	if err := exec.Command("unshare", "-Ur", "true").Run(); err != nil {
		lacking(t, "user namespaces: %v", err)
	}
}

// NeedUser asks for a way to act as an ordinary user: to be one, or to be root
// with that user's id mapped.
func NeedUser(t testing.TB) {
	t.Helper()
	if unix.Geteuid() == 0 && !canBecome(OtherUser) {
		lacking(t, "user id %d in this user namespace", OtherUser)
	}
}

// NeedKernelOverlay asks for the kernel's overlayfs.
func NeedKernelOverlay(t testing.TB) {
	t.Helper()
	fd, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err != nil {
		lacking(t, "the kernel's overlayfs: %v", err)
	}
	_ = unix.Close(fd) // nothing was made with it
}

// trustedXattrs says whether this process may set trusted xattrs. It asks the
// kernel instead of guessing from ids.
var trustedXattrs = sync.OnceValue(func() bool {
	f, err := os.CreateTemp("", "fstest")
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if err := os.Remove(f.Name()); err != nil {
		return false
	}
	return unix.Fsetxattr(int(f.Fd()), "trusted.fstest", []byte("1"), 0) == nil
})

// umask reads the process' mask, which can only be read by setting it.
var umask = sync.OnceValue(func() uint32 {
	old := unix.Umask(0o022)
	unix.Umask(old)
	return uint32(old)
})
