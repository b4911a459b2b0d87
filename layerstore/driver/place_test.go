package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// apartEnv names the test that this program was started for.
const apartEnv = "DRIVER_TEST_APART"

// apart runs a test in a process with mounts and process ids of its own, so that
// its mounts and servers are in nobody's way and end with it, however it ends.
// It is true there, and false here, when that is done.
func apart(t *testing.T) bool {
	t.Helper()
	if os.Getenv(apartEnv) == t.Name() {
		return true
	}
	again(t, exec.Command("/proc/self/exe", againArgs(t.Name())...), unix.CLONE_NEWNS|unix.CLONE_NEWPID, nil)
	return false
}

func againArgs(test string) []string {
	return []string{"-test.run=^(" + test + ")$", "-test.v", "-test.timeout=9m"}
}

// again runs the command of a test and takes over how that ended.
func again(t *testing.T, cmd *exec.Cmd, flags uintptr, ids []syscall.SysProcIDMap) {
	t.Helper()
	temp := cmd.Dir
	if temp == "" {
		temp = t.TempDir()
	}
	cmd.Env = append(os.Environ(), apartEnv+"="+t.Name(), "TMPDIR="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, UidMappings: ids, GidMappings: ids}
	if ids != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "\n--- SKIP"):
		t.Skipf("%s", out)
	case !strings.Contains(string(out), "--- PASS"):
		t.Fatalf("nothing ran:\n%s", out)
	}
	if testing.Verbose() {
		t.Logf("%s", out)
	}
}

// firstID is what root of a user namespace is outside.
const firstID = 200000

// inUserNamespace runs the command of a test as root of a user namespace with
// 65536 ids, whose temporary directories are below the command's directory.
func inUserNamespace(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	again(t, cmd, unix.CLONE_NEWUSER|unix.CLONE_NEWNS, []syscall.SysProcIDMap{{ContainerID: 0, HostID: firstID, Size: 1 << 16}})
}

// reachable shows a directory in a place that leads through no directory of
// root's alone, and gives it to the root of inUserNamespace.
func reachable(t *testing.T, name, dir string) string {
	t.Helper()
	place := filepath.Join("/mnt", name)
	if _, err := os.Stat("/mnt/ours"); err != nil {
		if err := unix.Mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755"); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.MkdirAll("/mnt/ours", 0o755), os.Mkdir(place, 0o755),
		unix.Mount(dir, place, "", unix.MS_BIND, ""), os.Chown(place, firstID, firstID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return place
}

// openFUSE gives /dev/fuse to everybody, as distributions do.
func openFUSE(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, err := range []error{
		unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"),
		unix.Mknod(dir+"/fuse", unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))),
		os.Chmod(dir+"/fuse", 0o666),
		unix.Mount(dir+"/fuse", "/dev/fuse", "", unix.MS_BIND, ""),
		unix.Unmount(dir, unix.MNT_DETACH),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// private keeps mounts from other namespaces, and shows our process ids. FUSE mounts
// of others, which came along, go: their servers would wait for our end.
func private(t *testing.T) {
	t.Helper()
	if os.Getenv(apartEnv) == "" {
		t.Fatal("the machine's own mounts aren't private: the test must run apart")
	}
	for _, err := range []error{
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if strings.Contains(line, " - fuse.") {
			_ = unix.Unmount(strings.Fields(line)[4], unix.MNT_DETACH) // it may be gone with another
		}
	}
}

// imageFile is an empty file for a file system of 512 MiB.
func imageFile(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		t.Fatal(err)
	}
	return image
}

// btrfs makes and mounts a file system in a file.
func btrfs(t *testing.T) string {
	t.Helper()
	private(t)
	image, dir := imageFile(t), t.TempDir()
	run(t, "mkfs.btrfs", "-q", image)
	run(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// zfs makes a pool in a file, with a server of our own.
func zfs(t *testing.T) string {
	t.Helper()
	private(t)
	startZFS(t)
	image, dir := imageFile(t), t.TempDir()
	pool := fmt.Sprintf("unionfstest%d", time.Now().UnixNano())
	run(t, "zpool", "create", "-o", "cachefile=none", "-m", dir, pool, image)
	t.Cleanup(func() {
		// Busy with the ends of its datasets' mounts for a moment.
		for deadline := time.Now().Add(testPatience); exec.Command("zpool", "destroy", "-f", pool).Run() != nil; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				run(t, "zpool", "destroy", "-f", pool)
			}
		}
	})
	return dir
}

// zfsPlaces are where zfs-fuse's server and its commands meet, its lock, and its
// list of pools: there is one of each for the whole machine, unless something is
// mounted there.
var zfsPlaces = []string{"/var/run/zfs", "/var/lock/zfs", "/var/lib/zfs"}

func startZFS(t *testing.T) {
	t.Helper()
	for _, place := range zfsPlaces {
		if err := os.MkdirAll(place, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", place, "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.Command("zfs-fuse", "-n", "--no-kstat-mount", "-x")
	var said strings.Builder
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		lacking(t, "zfs-fuse: %v", err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	for deadline := time.Now().Add(testPatience); exec.Command("zpool", "list").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = server.Process.Kill()
			t.Fatalf("zfs-fuse doesn't answer: %v\n%s", server.Wait(), &said)
		}
	}
}
