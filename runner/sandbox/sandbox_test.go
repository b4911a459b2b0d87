package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lacking ends a test that needs what isn't here; in CI that is a failure.
func lacking(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: "+format, args...)
	}
	t.Skipf("needs "+format, args...)
}

// needMachineRoot asks for root of the initial user namespace.
func needMachineRoot(t testing.TB) {
	t.Helper()
	if !isMachineRoot() {
		lacking(t, "root of the initial user namespace")
	}
}

func isMachineRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && os.Geteuid() == 0 && strings.Contains(string(text), "4294967295")
}

// busybox is a root file system of one program under many names.
func busybox(t testing.TB) string {
	t.Helper()
	binary, err := os.ReadFile("/bin/busybox")
	if err != nil {
		lacking(t, "Debian's busybox-static: %v", err)
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"bin", "etc", "proc", "sys", "dev", "tmp", "root", "work", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "tmp"), 0o1777); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "bin/busybox"), string(binary), 0o755)
	for _, name := range strings.Fields(applets) {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	linkLoader(t, root)
	write(t, filepath.Join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n", 0o644)
	return root
}

// applets are the names that tests use.
const applets = "sh ls cat echo sleep true pwd id hostname ps tty stty test cut grep wc readlink head stat dd mknod kill " +
	"touch mount umount unshare mkdir rm ln df printf seq tr sort env nproc chmod chown find"

func write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

var dockerCaps = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

func node(path string, major, minor uint32) Device {
	return Device{Path: path, Type: "c", Major: major, Minor: minor, Mode: 0o666, Source: path, Access: "rwm"}
}

// testSpec is what a container usually has.
func testSpec(t testing.TB, args ...string) Spec {
	t.Helper()
	pts := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	if isMachineRoot() {
		pts = append(pts, "gid=5")
	}
	s := Spec{
		RootPath: busybox(t),
		Process: Process{
			Args: args, Env: []string{"PATH=/bin:/usr/bin", "HOME=/root", "TERM=xterm"}, Dir: "/",
			Capabilities: dockerCaps, Seccomp: DefaultSeccomp(),
		},
		Hostname:   "box",
		Namespaces: []Namespace{{Type: MountNS}, {Type: PIDNS}, {Type: IPCNS}, {Type: UTSNS}, {Type: NetNS}, {Type: CgroupNS}},
		Mounts: []Mount{
			{Type: "proc", Source: "proc", Target: "/proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Type: "tmpfs", Source: "tmpfs", Target: "/dev", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{Type: "devpts", Source: "devpts", Target: "/dev/pts", Options: pts},
			{Type: "sysfs", Source: "sysfs", Target: "/sys", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
			{Type: "mqueue", Source: "mqueue", Target: "/dev/mqueue", Options: []string{"nosuid", "noexec", "nodev"}, Optional: true},
			{Type: "tmpfs", Source: "shm", Target: "/dev/shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=1m"}},
		},
		Devices: []Device{
			node("/dev/null", 1, 3), node("/dev/zero", 1, 5), node("/dev/full", 1, 7),
			node("/dev/random", 1, 8), node("/dev/urandom", 1, 9), node("/dev/tty", 5, 0),
		},
		Links: []Link{
			{"/dev/fd", "/proc/self/fd"}, {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
			{"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"},
		},
		MaskedPaths:   []string{"/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/acpi", "/proc/scsi", "/sys/firmware"},
		ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
	}
	if os.Geteuid() != 0 {
		s.Namespaces = append(s.Namespaces, Namespace{Type: UserNS})
		s.IDMaps = IDMaps{UIDs: []IDRange{{0, os.Geteuid(), 1}}, GIDs: []IDRange{{0, os.Getegid(), 1}}}
	}
	return s
}

// run runs a sandbox to its end, and answers what it wrote.
func run(t testing.TB, s Spec) (out string, status Status) {
	t.Helper()
	out, status, err := tryRun(t, s)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return out, status
}

func tryRun(t testing.TB, s Spec) (string, Status, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	output := collect(t, &s.Stdio)
	sb, err := Start(ctx, s)
	if err != nil {
		output()
		return "", Status{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = sb.Kill() })
	defer stop()
	status, err := sb.Wait()
	if closeErr := sb.Close(); closeErr != nil {
		t.Errorf("close: %v", closeErr)
	}
	return output(), status, err
}

// collect gives a program a pipe to write to; done answers what came.
func collect(t testing.TB, stdio *Stdio) (done func() string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdio.Out, stdio.Err = w, w
	var buf bytes.Buffer
	finished := make(chan struct{})
	go func() {
		_, _ = io.Copy(&buf, r)
		r.Close()
		close(finished)
	}()
	return func() string {
		w.Close()
		<-finished
		return buf.String()
	}
}

// sh runs a shell script in a sandbox.
func sh(t testing.TB, script string, change ...func(*Spec)) string {
	t.Helper()
	s := testSpec(t, "sh", "-c", script)
	for _, c := range change {
		c(&s)
	}
	out, status := run(t, s)
	if status.Code != 0 {
		t.Errorf("%s: status %d: %s", script, status.Code, out)
	}
	return out
}

func TestProgramRuns(t *testing.T) {
	out, status := run(t, testSpec(t, "sh", "-c", "echo pid $$ $(hostname) $(pwd) $(id -u); exit 7"))
	if want := "pid 1 box / 0\n"; out != want || status.Code != 7 {
		t.Errorf("status %d, output %q; want 7, %q", status.Code, out, want)
	}
}

func TestExitStatuses(t *testing.T) {
	for _, c := range []struct {
		script       string
		code, signal int
	}{{"exit 0", 0, 0}, {"exit 255", 255, 0}, {"kill -9 $$; sh -c 'kill -9 $PPID'", 137, 9}} {
		s := testSpec(t, "sh", "-c", c.script)
		s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n Namespace) bool { return n.Type == PIDNS })
		if _, status := run(t, s); status.Code != c.code || status.Signal != c.signal {
			t.Errorf("%s: %+v", c.script, status)
		}
	}
}

func TestExecuteErrors(t *testing.T) {
	s := testSpec(t, "x")
	write(t, filepath.Join(s.RootPath, "bin/plain"), "hello", 0o644)
	write(t, filepath.Join(s.RootPath, "bin/text"), "hello", 0o755)
	write(t, filepath.Join(s.RootPath, "bin/lost"), "#!/no/interpreter\n", 0o755)
	for _, c := range []struct {
		name string
		code int
		want error
	}{
		{"nothing", 127, unix.ENOENT}, {"/bin/nothing", 127, unix.ENOENT}, {"plain", 126, unix.EACCES},
		{"/bin/plain", 126, unix.EACCES}, {"text", 126, unix.ENOEXEC}, {"/bin", 126, unix.EACCES}, {"lost", 127, unix.ENOENT},
	} {
		s.Process.Args = []string{c.name}
		_, _, err := tryRun(t, s)
		var start *StartError
		if !errors.As(err, &start) || start.Code != c.code || !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
