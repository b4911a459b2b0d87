package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func bindOf(source, target string, options ...string) func(*Spec) {
	return func(s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Type: "bind", Source: source, Target: target, Options: options})
	}
}

func TestBindOptions(t *testing.T) {
	data := t.TempDir()
	write(t, filepath.Join(data, "file"), "data\n", 0o644)
	for _, c := range []struct {
		options []string
		want    string // in the options that mountinfo shows
		writes  bool
	}{
		{[]string{"bind"}, "rw,", true},
		{[]string{"bind", "ro"}, "ro,", false},
		{[]string{"rbind", "rro"}, "ro,", false},
		{[]string{"bind", "nosuid", "nodev", "noexec"}, "rw,nosuid,nodev,noexec,", true},
		{[]string{"bind", "ro", "rw"}, "rw,", true},
		{[]string{"bind", "noatime"}, "noatime ", true},
	} {
		if c.options[len(c.options)-1] == "noatime" && !isMachineRoot() {
			continue // locked in a user namespace
		}
		out := sh(t, "grep ' /new/dir ' /proc/self/mountinfo; cat /new/dir/file; echo x 2>/dev/null > /new/dir/new && echo wrote", bindOf(data, "/new/dir", c.options...), func(s *Spec) {
			s.Process.Args[2] += "; true"
		})
		if !strings.Contains(out, c.want) || !strings.Contains(out, "data\n") || strings.Contains(out, "wrote") != c.writes {
			t.Errorf("%v: %q", c.options, out)
		}
	}
}

func TestBindOfFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hosts")
	write(t, file, "127.0.0.1 box\n", 0o644)
	s := testSpec(t, "cat", "/etc/deep/hosts")
	bindOf(file, "/etc/deep/hosts", "bind")(&s)
	if out, _ := run(t, s); out != "127.0.0.1 box\n" {
		t.Errorf("%q", out)
	}
	// The place of the mount is a file of the root's owner, 0644, in 0755.
	for name, mode := range map[string]os.FileMode{"etc/deep": 0o755 | os.ModeDir, "etc/deep/hosts": 0o644} {
		if st, err := os.Stat(filepath.Join(s.RootPath, name)); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
}

// TestBindDeep: what is mounted below the source comes along with rbind, and is
// read-only with rro alone.
func TestBindDeep(t *testing.T) {
	script := "echo x 2>/dev/null > /data/deep/new && echo wrote; ls /data/deep"
	needMachineRoot(t)
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", filepath.Join(data, "deep"), "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(filepath.Join(data, "deep"), unix.MNT_DETACH) })
	write(t, filepath.Join(data, "deep/below"), "", 0o644)
	for _, c := range []struct{ options, want string }{
		{"bind", "wrote\nnew\n"}, {"rbind,ro", "wrote\nbelow\nnew\n"}, {"rbind,rro", "below\nnew\n"},
	} {
		if out := sh(t, script, bindOf(data, "/data", strings.Split(c.options, ",")...)); out != c.want {
			t.Errorf("%s: %q, want %q", c.options, out, c.want)
		}
	}
}

func TestTmpfs(t *testing.T) {
	out := sh(t, "stat -c '%a %u' /etc /run; cat /etc/passwd | wc -l; stat -c %a /etc/secret; readlink /etc/link; echo x > /etc/new; df -k /run | tail -1", func(s *Spec) {
		write(t, filepath.Join(s.RootPath, "etc/secret"), "x", 0o600)
		if err := os.Symlink("passwd", filepath.Join(s.RootPath, "etc/link")); err != nil {
			t.Fatal(err)
		}
		s.Mounts = append(s.Mounts,
			Mount{Type: "tmpfs", Target: "/etc", CopyUp: true},
			Mount{Type: "tmpfs", Target: "/run", Options: []string{"size=64k", "mode=711"}})
		s.Process.Args[2] = strings.Replace(s.Process.Args[2], "df -k /run | tail -1", "df -k /run | grep -c ' 64 '", 1)
	})
	if want := "755 0\n711 0\n2\n600\npasswd\n1\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// TestTmpfsMode: a tmpfs is like the place that it hides, but for what its
// options say; where there was none it is everybody's.
func TestTmpfsMode(t *testing.T) {
	out := sh(t, "stat -c '%a' /etc /var/x /new", func(s *Spec) {
		if err := os.MkdirAll(filepath.Join(s.RootPath, "var/x"), 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.RootPath, "var/x/file"), "", 0o640)
		s.Mounts = append(s.Mounts,
			Mount{Type: "tmpfs", Target: "/etc", CopyUp: true, Options: []string{"mode=1711"}},
			Mount{Type: "tmpfs", Target: "/var/x", CopyUp: true},
			Mount{Type: "tmpfs", Target: "/new", CopyUp: true})
	})
	if want := "1711\n750\n1777\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

func TestMountErrors(t *testing.T) {
	for _, c := range []struct {
		mount Mount
		want  []string
	}{
		{Mount{Type: "bind", Source: "/not/there", Target: "/x"}, []string{"/x: ", "/not/there", "no such file"}},
		{Mount{Type: "tmpfs", Target: "/x", Options: []string{"size=lots"}}, []string{"/x: ", "size=lots", "invalid"}},
		{Mount{Type: "nofs", Target: "/x"}, []string{"/x: ", "nofs"}},
		{Mount{Type: "tmpfs", Target: "/etc/passwd"}, []string{"/etc/passwd: ", "not a directory"}},
	} {
		s := testSpec(t, "true")
		s.Mounts = append(s.Mounts, c.mount)
		_, _, err := tryRun(t, s)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v lacks %q", err, want)
			}
		}
		s.Mounts[len(s.Mounts)-1].Optional = true
		if _, status := run(t, s); status.Code != 0 {
			t.Errorf("optional: %+v", status)
		}
	}
}

func TestReadOnlyRoot(t *testing.T) {
	out := sh(t, "touch /new 2>/dev/null || echo refused; touch /dev/shm/new && echo shm", func(s *Spec) { s.ReadOnly = true })
	if out != "refused\nshm\n" {
		t.Errorf("%q", out)
	}
}

// TestRootMount hands in a mount that is attached nowhere; the sandbox may have
// another user namespace than the caller.
func TestRootMount(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "the right to make mounts")
	}
	for _, own := range []bool{false, true} {
		s := testSpec(t, "ls", "/bin/busybox")
		fd, err := unix.OpenTree(unix.AT_FDCWD, s.RootPath, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			t.Fatal(err)
		}
		root := os.NewFile(uintptr(fd), "root")
		defer root.Close()
		s.RootMount, s.RootPath = root, ""
		if own {
			one := []IDRange{{Inside: 0, Host: 0, Count: 1}}
			s.Namespaces = append(s.Namespaces, Namespace{Type: UserNS})
			s.IDMaps = IDMaps{UIDs: one, GIDs: one}
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m Mount) bool { return m.Type == "devpts" }) // gid=5 isn't mapped
		}
		if out, status := run(t, s); out != "/bin/busybox\n" {
			t.Errorf("own user namespace %v: %+v %q", own, status, out)
		}
	}
}

// TestMountOfCaller hands in a file system that the caller has made.
func TestMountOfCaller(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "the right to make mounts")
	}
	o := parseMountOptions([]string{"size=64k", "mode=755"})
	fd, err := newMount("tmpfs", "mine", &o)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "tmpfs")
	defer f.Close()
	out := sh(t, "grep ' /mine ' /proc/self/mountinfo | cut -d- -f2", func(s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Type: "tmpfs", Fd: f, Target: "/mine", Options: []string{"ro"}})
	})
	if !strings.HasPrefix(out, " tmpfs mine") {
		t.Errorf("%q", out)
	}
}

func TestIDMappedBind(t *testing.T) {
	needMachineRoot(t)
	data := t.TempDir()
	write(t, filepath.Join(data, "file"), "", 0o644)
	if err := os.Chown(filepath.Join(data, "file"), 5, 6); err != nil {
		t.Fatal(err)
	}
	one := []IDRange{{Inside: 0, Host: 1000, Count: 100}}
	out := sh(t, "stat -c '%u %g' /data/file", func(s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Type: "bind", Source: data, Target: "/data", IDMap: &IDMaps{UIDs: one, GIDs: one}})
	})
	if out != "1005 1006\n" {
		t.Errorf("%q", out)
	}
}

// TestHostSeesNoMounts: what is mounted in a sandbox stays in it.
func TestHostSeesNoMounts(t *testing.T) {
	s := testSpec(t, "sleep", "1000")
	running(t, s)
	if left := look(t, s.RootPath).mounts; left != "" {
		t.Errorf("%s", left)
	}
}

// TestCgroupMount: the groups that a sandbox sees are its own, and can't be
// written.
func TestCgroupMount(t *testing.T) {
	kind := "cgroup"
	var fs unix.Statfs_t
	if unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		kind = "cgroup2"
	}
	out := sh(t, "cat /proc/self/cgroup; ls -d /sys/fs/cgroup/*; mkdir /sys/fs/cgroup/x /sys/fs/cgroup/pids/x /sys/fs/cgroup/memory/x 2>/dev/null && echo made; ls /sys/fs/cgroup/pids /sys/fs/cgroup; true", func(s *Spec) {
		s.Mounts = append(s.Mounts, Mount{Type: kind, Source: "cgroup", Target: "/sys/fs/cgroup", Options: []string{"ro", "nosuid", "nodev", "noexec"}})
		if isMachineRoot() {
			s.Cgroup = Cgroup{Name: fmt.Sprintf("sandbox-test-mount-%d", os.Getpid())}
		}
	})
	if strings.Contains(out, "made") || !strings.Contains(out, "cgroup.procs") {
		t.Errorf("%q", out)
	}
	if isMachineRoot() && (strings.Contains(out, "sandbox-test") || strings.Contains(out, "release_agent")) {
		t.Errorf("more than its own: %q", out)
	}
}
