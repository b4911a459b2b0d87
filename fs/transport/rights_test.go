package transport

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
)

// rights are those of another process: in namespaces of its own, and as the
// user uid unless that is 0.
type rights struct {
	attr syscall.SysProcAttr
	uid  int
}

// mounter is the test program with other rights, on a directory that is its
// own. It answers what the program prints.
func mounter(t *testing.T, r rights, options ...string) (path, said string, err error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "transport")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path = filepath.Join(dir, "mount")
	program := filepath.Join(dir, "program")
	copyProgram(t, program)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, path} {
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
		if r.uid != 0 {
			if err := os.Chown(name, r.uid, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	cmd := exec.Command(program, options...)
	cmd.Env = append(os.Environ(), asMounter+"="+path)
	if r.uid != 0 {
		cmd.Env = append(cmd.Env, asUser+"="+strconv.Itoa(r.uid))
	}
	cmd.Dir = dir
	cmd.SysProcAttr = &r.attr
	out, err := cmd.CombinedOutput()
	return path, string(out), err
}

func copyProgram(t *testing.T, to string) {
	t.Helper()
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMountInUserNamespace: root of a namespace mounts directly, and what it
// mounts is usable there.
func TestMountInUserNamespace(t *testing.T) {
	fstest.NeedFUSE(t)
	fstest.NeedUserNS(t)
	r := rights{attr: syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}}
	path, said, err := mounter(t, r, "noatime")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(said, " fuse.unionfs a,b ") || !strings.Contains(said, "noatime") || !strings.Contains(said, "allow_other") {
		t.Errorf("mountinfo %q", said)
	}
	if isMounted(t, path) {
		t.Error("the mount shows outside the namespace")
	}
}

// TestMountAsUser: an ordinary user mounts through fusermount3. Where the tests
// run as one, all the others do so.
func TestMountAsUser(t *testing.T) {
	r := needOrdinaryUser(t)
	path, said, err := mounter(t, r, "noatime", "suid", "dev", "relatime")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(said, " fuse.unionfs a,b ") || !strings.Contains(said, "nosuid,nodev,noatime") {
		t.Errorf("mountinfo %q", said)
	}
	if isMounted(t, path) {
		t.Error("still mounted")
	}
}

// TestAllowOtherAsUser: the sentence says which file has to say so.
func TestAllowOtherAsUser(t *testing.T) {
	r := needOrdinaryUser(t)
	conf, _ := os.ReadFile("/etc/fuse.conf") // absent: not allowed
	for line := range strings.Lines(string(conf)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			t.Skip("needs a fuse.conf without user_allow_other")
		}
	}
	_, said, err := mounter(t, r, "allow_other")
	if err == nil || !strings.Contains(said, "/etc/fuse.conf") {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestDeviceClosedToUsers: the sentence says how to open it to them.
func TestDeviceClosedToUsers(t *testing.T) {
	r := needOrdinaryUser(t)
	if r.uid == 0 {
		t.Skip("is for root, who can close the device to a user")
	}
	t.Setenv(fuseMode, "600")
	_, said, err := mounter(t, r)
	if err == nil || !strings.Contains(said, "chmod 0666 /dev/fuse") {
		t.Errorf("%v\n%s", err, said)
	}
}

// TestNoHelper: the sentence says what to install.
func TestNoHelper(t *testing.T) {
	r := needOrdinaryUser(t)
	t.Setenv("PATH", "/nonexistent")
	_, said, err := mounter(t, r)
	if err == nil || !strings.Contains(said, "apt install fuse3") {
		t.Errorf("%v\n%s", err, said)
	}
}

// needOrdinaryUser asks for fusermount3 with its setuid bit in force, and for
// an ordinary user: to be one, or root who can become one.
func needOrdinaryUser(t *testing.T) rights {
	t.Helper()
	fstest.NeedFUSE(t)
	if os.Geteuid() == 0 && !initialNamespace(t) {
		t.Skip("is for the initial user namespace: fusermount3 isn't root's in another")
	}
	fstest.NeedUser(t)
	if _, err := exec.LookPath("fusermount3"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("needed in CI: fusermount3")
		}
		t.Skip("needs fusermount3")
	}
	if os.Geteuid() != 0 {
		return rights{}
	}
	return rights{uid: fstest.OtherUser, attr: syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}}
}

func initialNamespace(t *testing.T) bool {
	t.Helper()
	ids, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(ids)), " ") == "0 0 4294967295"
}
