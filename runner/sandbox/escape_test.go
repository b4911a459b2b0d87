package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMountTargetSymlinks: links of an image that lead out of it lead into it.
func TestMountTargetSymlinks(t *testing.T) {
	outside := t.TempDir()
	for _, c := range []struct{ name, link, want string }{
		{"absolute", outside, outside},
		{"relative", strings.Repeat("../", 30) + "escaped", "escaped"},
		{"dangling", "/not/there/yet", "not/there/yet"},
		{"chain", "/evil-relative", "escaped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testSpec(t, "sh", "-c", "cat /etc/evil/mark /etc/evil/deep/mark")
			for name, target := range map[string]string{"etc/evil": c.link, "evil-relative": strings.Repeat("../", 30) + "escaped"} {
				if err := os.Symlink(target, filepath.Join(s.RootPath, name)); err != nil {
					t.Fatal(err)
				}
			}
			data := t.TempDir()
			write(t, filepath.Join(data, "mark"), "marked\n", 0o644)
			s.Mounts = append(s.Mounts,
				Mount{Type: "bind", Source: data, Target: "/etc/evil", Options: []string{"rbind"}},
				Mount{Type: "bind", Source: data, Target: "/etc/evil/deep", Options: []string{"rbind"}})
			if out, status := run(t, s); out != "marked\nmarked\n" || status.Code != 0 {
				t.Errorf("%+v: %q", status, out)
			}
			if _, err := os.Stat(filepath.Join(s.RootPath, c.want)); err != nil {
				t.Errorf("the target isn't in the root: %v", err)
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
				t.Errorf("something was made outside: %v, %v", entries, err)
			}
		})
	}
}

func TestMountOnRootIsRefused(t *testing.T) {
	s := testSpec(t, "true")
	s.Mounts = append(s.Mounts, Mount{Type: "tmpfs", Target: "/etc/.."})
	if _, _, err := tryRun(t, s); err == nil {
		t.Error("the root was mounted over")
	}
}

// TestWorkdirOutside is CVE-2024-21626: a working directory by way of a
// descriptor of the host.
func TestWorkdirOutside(t *testing.T) {
	host, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0) // inherited on purpose
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(host)
	s := testSpec(t, "sh", "-c", "pwd; ls /proc/self/cwd/")
	for fd := range 20 {
		s.Process.Dir = fmt.Sprintf("/proc/self/fd/%d", fd)
		if out, status, err := tryRun(t, s); err == nil {
			t.Errorf("%s: %+v: %q", s.Process.Dir, status, out)
		}
	}
	sb := running(t, testSpec(t, "sleep", "1000"))
	for _, dir := range []string{"/proc/self/fd/" + strconv.Itoa(host), "/proc/self/cwd", "/proc/1/cwd"} {
		p := Process{Args: []string{"/bin/true"}, Dir: dir}
		if more, err := Exec(context.Background(), sb.Pid(), p, Stdio{}); err == nil {
			more.Close()
			t.Errorf("exec in %s", dir)
		}
	}
}

// TestWorkdirSymlink: a link of the image leads to a place in the image.
func TestWorkdirSymlink(t *testing.T) {
	s := testSpec(t, "pwd")
	if err := os.Symlink("../../../../../../etc/new", filepath.Join(s.RootPath, "work/away")); err != nil {
		t.Fatal(err)
	}
	s.Process.Dir = "/work/away"
	if out, _ := run(t, s); out != "/etc/new\n" {
		t.Errorf("%q", out)
	}
}

// TestNoDescriptorLeaks: what the caller has open, on purpose or not, stays
// with it.
func TestNoDescriptorLeaks(t *testing.T) {
	leak, err := unix.Open("/etc", unix.O_RDONLY|unix.O_DIRECTORY, 0) // no O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	for _, init := range []bool{false, true} {
		out := sh(t, "cd /proc/self/fd; echo *; readlink /proc/self/cwd; echo $(ls /proc/1/fd | wc -l)", func(s *Spec) { s.Init = init })
		if !strings.HasPrefix(out, "0 1 2 3\n") && !strings.HasPrefix(out, "0 1 2\n") {
			t.Errorf("init %v: %q", init, out)
		}
	}
	sb := running(t, testSpec(t, "sleep", "1000"))
	if out, _ := in(t, sb, "cd /proc/self/fd; echo *"); out != "0 1 2\n" && out != "0 1 2 3\n" {
		t.Errorf("exec: %q", out)
	}
}

// TestSelfCantBeWritten is CVE-2019-5736: an image's program that is a script
// of /proc/self/exe runs our own program in the sandbox.
func TestSelfCantBeWritten(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(self)
	if err != nil {
		t.Fatal(err)
	}
	s := testSpec(t, "/bin/evil")
	write(t, filepath.Join(s.RootPath, "bin/evil"), "#!/proc/self/exe\n", 0o755)
	s.Process.Env = append(s.Process.Env, probeEnv+"=self")
	check := func(how, out string) {
		if !strings.Contains(out, "read-only: true") && !strings.Contains(out, "sealed: true") || strings.Contains(out, "written\n") {
			t.Errorf("%s: %q", how, out)
		}
	}
	out, _ := run(t, s)
	check("start", out)
	s.Process.Args = []string{"sleep", "1000"}
	sb := running(t, s)
	out, _ = in(t, sb, "", func(p *Process) {
		p.Args, p.Env = []string{"/bin/evil"}, append(p.Env, probeEnv+"=self")
	})
	check("exec", out)
	after, err := os.Stat(self)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != before.Size() {
		t.Errorf("the program has changed: %v", err)
	}
}

func TestKernelPathsAreHidden(t *testing.T) {
	out := sh(t, `
		wc -c < /proc/keys; wc -c < /proc/timer_list; ls /sys/firmware | wc -l
		echo 1 2>/dev/null > /proc/sys/kernel/domainname && echo sysctl
		echo h 2>/dev/null > /proc/sysrq-trigger && echo sysrq
		echo x 2>/dev/null > /sys/kernel/mm/ksm/run && echo sysfs
		ls /proc | grep -c '^[0-9]'; hostname`)
	if fields := strings.Fields(out); len(fields) != 5 || fields[0] != "0" || fields[1] != "0" || fields[2] != "0" || fields[4] != "box" {
		t.Errorf("%q", out)
	}
}

// TestMasksFollowNoImage is CVE-2025-31133: what hides a path is the host's
// /dev/null, not a thing at that path in the image.
func TestMasksFollowNoImage(t *testing.T) {
	out := sh(t, "cat /secret; stat -c %t:%T /secret", func(s *Spec) {
		write(t, filepath.Join(s.RootPath, "secret"), "secret", 0o644)
		write(t, filepath.Join(s.RootPath, "dev/null"), "not null", 0o644)
		s.MaskedPaths = append(s.MaskedPaths, "/secret")
	})
	if out != "1:3\n" {
		t.Errorf("%q", out)
	}
}

func TestEscapes(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Spec)
	}{
		{"by capabilities", func(s *Spec) { s.Process.Seccomp = nil }},
		{"with the filter", func(*Spec) {}},
		{"under init", func(s *Spec) { s.Init = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out := probe(t, "escape", c.change); out != "" {
				t.Errorf("%s", out)
			}
		})
	}
}

// TestOutsideIsntSeen: neither processes of the host nor its mounts.
func TestOutsideIsntSeen(t *testing.T) {
	pid := os.Getpid()
	out := sh(t, fmt.Sprintf("kill -0 %d 2>&1; ls -d /proc/%d 2>&1; grep -c . /proc/self/mountinfo; grep -E ' (/home|/mnt|/boot|/sys/fs/fuse)' /proc/self/mountinfo; true", pid, pid))
	if !strings.Contains(out, "No such process") || !strings.Contains(out, "No such file") || strings.Contains(out, "/home") {
		t.Errorf("%q", out)
	}
}

func TestChrootEscape(t *testing.T) {
	s := testSpec(t, "true")
	var st unix.Stat_t
	if err := unix.Stat(s.RootPath, &st); err != nil {
		t.Fatal(err)
	}
	out := probe(t, "chroot", func(p *Spec) { p.RootPath = s.RootPath })
	if want := fmt.Sprintf("inode %d\n", st.Ino); out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestSession(t *testing.T) {
	out := probe(t, "session", func(s *Spec) { s.Process.Seccomp = nil })
	if out != "leads its session: true terminal: false\ntyped: false\n" {
		t.Errorf("%q", out)
	}
}

func TestKeyring(t *testing.T) {
	// A session of this process' own, so that nobody else's is touched.
	done := make(chan string)
	go func() { done <- withKey(t) }()
	if out := <-done; !strings.HasPrefix(out, "found: false") {
		t.Errorf("%q", out)
	}
}

func TestSetuidWithoutNewPrivileges(t *testing.T) {
	needMachineRoot(t)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, nnp := range []bool{true, false} {
		out := probe(t, "user", func(s *Spec) {
			write(t, filepath.Join(s.RootPath, "bin/asroot"), string(self), 0o755|os.ModeSetuid)
			s.Process.Args = []string{"/bin/asroot"}
			s.Process.UID, s.Process.GID, s.Process.NoNewPrivs = 1000, 1000, nnp
		})
		if want := map[bool]string{true: "user 1000\n", false: "user 0\n"}[nnp]; out != want {
			t.Errorf("no_new_privs %v: %q, want %q", nnp, out, want)
		}
	}
}

// TestCapabilities compares with what docker gives.
func TestCapabilities(t *testing.T) {
	out := sh(t, "grep -E '^Cap|NoNewPrivs|Groups' /proc/self/status", func(s *Spec) { s.Process.NoNewPrivs = true })
	for _, want := range []string{"CapInh:\t0000000000000000", "CapPrm:\t00000000a80425fb", "CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}

func TestCapabilitiesOfUser(t *testing.T) {
	needMachineRoot(t)
	out := sh(t, "id -u; id -g; grep -E '^Cap|Groups' /proc/self/status", func(s *Spec) {
		s.Process.UID, s.Process.GID, s.Process.Groups = 1000, 100, []uint32{7, 8}
	})
	for _, want := range []string{"1000\n100\n", "Groups:\t7 8", "CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t00000000a80425fb", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}

// TestDeviceOfHost: root of a sandbox may make a node, and not use it.
func TestDeviceOfHost(t *testing.T) {
	needMachineRoot(t)
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		t.Fatal(err)
	}
	out := sh(t, fmt.Sprintf("mknod /dev/disk b %d %d; dd if=/dev/disk of=/dev/null bs=1 count=1 2>&1; echo x > /dev/null && echo null works; mknod /dev/kmsg c 1 11; echo y > /dev/kmsg", unix.Major(st.Dev), unix.Minor(st.Dev))+" 2>&1; true",
		func(s *Spec) { s.Cgroup = Cgroup{Name: fmt.Sprintf("sandbox-test-dev-%d", os.Getpid()), Devices: true} })
	if !strings.Contains(out, "dd: can't open '/dev/disk': Operation not permitted") || !strings.Contains(out, "null works") || strings.Count(out, "not permitted") < 2 {
		t.Errorf("%q", out)
	}
}
