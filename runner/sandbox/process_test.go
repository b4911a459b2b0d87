package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDefaultDevices(t *testing.T) {
	out := sh(t, `for d in null zero full random urandom tty; do test -c /dev/$d && stat -c '%n %t:%T %a' /dev/$d; done
		head -c 3 /dev/zero | wc -c; head -c 9 /dev/urandom | wc -c; echo x > /dev/full || echo full
		for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; test -c /dev/ptmx && echo ptmx; stat -c %a /dev/shm; df -k /dev/shm | grep -c ' 1024 '`)
	for _, want := range []string{"/dev/null 1:3 666\n", "/dev/tty 5:0 666\n", "\n3\n9\n", "full\n", "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n", "pts/ptmx\nptmx\n1777\n1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}

func TestLoopback(t *testing.T) {
	out := sh(t, "cat /proc/net/if_inet6 2>/dev/null | grep -c lo; grep -c lo: /proc/net/dev; cat /sys/class/net/lo/flags 2>/dev/null || echo none", func(s *Spec) { s.Process.Args[2] += "; true" })
	if !strings.Contains(out, "0x9\n") && !strings.HasPrefix(out, "1\n1\n") { // IFF_UP | IFF_LOOPBACK
		t.Errorf("%q", out)
	}
}

func TestLimitsAndMask(t *testing.T) {
	out := sh(t, "ulimit -n; ulimit -Hn; ulimit -c; umask; cat /proc/self/oom_score_adj", func(s *Spec) {
		s.Process.Rlimits = []Rlimit{{"nofile", 100, 200}, {"RLIMIT_CORE", 0, 0}}
		adj := 300
		s.Process.OOMScoreAdj = &adj
	})
	if out != "100\n200\n0\n0022\n300\n" {
		t.Errorf("%q", out)
	}
}

// TestRaisedLimit: without the right to, raising a limit is refused in words.
func TestRaisedLimit(t *testing.T) {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &now); err != nil {
		t.Fatal(err)
	}
	s := testSpec(t, "true")
	s.Process.Rlimits = []Rlimit{{"memlock", 0, now.Max + 1}}
	if now.Max == unix.RLIM_INFINITY {
		now.Max = 1 << 20
		lower := unix.Rlimit{Cur: now.Max, Max: now.Max}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &lower); err != nil {
			t.Fatal(err)
		}
		s.Process.Rlimits[0].Hard = now.Max + 1
	}
	_, _, err := tryRun(t, s)
	switch {
	case hasCapability(unix.CAP_SYS_RESOURCE) && isMachineRoot():
		if err != nil {
			t.Error(err)
		}
	case hasCapability(unix.CAP_SYS_RESOURCE):
		// That of a user namespace, which the kernel doesn't count here.
		if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "memlock") {
			t.Errorf("%v", err)
		}
	case err == nil || !strings.Contains(err.Error(), "CAP_SYS_RESOURCE"):
		t.Errorf("%v", err)
	}
}

func TestSysctls(t *testing.T) {
	out := sh(t, "cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start", func(s *Spec) {
		s.Sysctls = map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.ip_unprivileged_port_start": "80"}
	})
	if out != "1\n80\n" {
		t.Errorf("%q", out)
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Process.Args = nil }, "no program"},
		{func(s *Spec) { s.RootPath = "" }, "a root is needed"},
		{func(s *Spec) { s.RootPath = "/not/there" }, "/not/there"},
		{func(s *Spec) { s.Process.Dir = "relative" }, "isn't an absolute path"},
		{func(s *Spec) { s.Process.Capabilities = []string{"CAP_FLY"} }, "CAP_FLY"},
		{func(s *Spec) { s.Process.Rlimits = []Rlimit{{"eyes", 1, 2}} }, "known are as,"},
		{func(s *Spec) { s.Process.Rlimits = []Rlimit{{"core", 2, 1}} }, "above the hard one"},
		{func(s *Spec) { s.Process.Seccomp = []byte("nonsense") }, "seccomp"},
		{func(s *Spec) { s.Namespaces = nil }, "mount namespace of its own"},
		{func(s *Spec) { s.Namespaces = append(s.Namespaces, Namespace{Type: "moon"}) }, `"moon"`},
		{func(s *Spec) { s.Sysctls = map[string]string{"kernel.panic": "1"} }, "whole machine"},
		{func(s *Spec) { s.Sysctls = map[string]string{"net../../x": "1"} }, "single dots"},
		{func(s *Spec) { s.Cgroup.CPUs = -1 }, "less than none"},
		{func(s *Spec) { s.Devices = append(s.Devices, Device{Path: "/dev/x", Source: "/etc/passwd"}) }, "no device"},
		{func(s *Spec) { s.Process.Env = []string{"A=\x00"} }, "environment"},
		{func(s *Spec) { s.Process.UID = 1 << 31; s.Process.GID = 1 << 31 }, ""},
	} {
		s := testSpec(t, "true")
		c.change(&s)
		_, status, err := tryRun(t, s)
		if c.want == "" {
			continue // whatever the kernel says, as long as nobody hangs
		}
		var start *StartError
		if !errors.As(err, &start) || start.Code != 125 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v (%+v) lacks %q", err, status, c.want)
		}
	}
}

// TestCreateRelease: between the two the namespaces are there, and the program
// isn't.
func TestCreateRelease(t *testing.T) {
	s := testSpec(t, "sh", "-c", "echo started")
	output := collect(t, &s.Stdio)
	sb, err := Create(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	links, own := namespaceLinks(t, fmt.Sprint(sb.Pid())), namespaceLinks(t, "self")
	if links["net"] == own["net"] || links["mnt"] == own["mnt"] {
		t.Errorf("namespaces: %v", links)
	}
	if err := sb.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := sb.Release(context.Background()); err == nil {
		t.Error("released twice")
	}
	if status, err := sb.Wait(); err != nil || status.Code != 0 {
		t.Errorf("%+v, %v", status, err)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if out := output(); out != "started\n" {
		t.Errorf("%q", out)
	}
}

// TestInput: the program sees the end of its input, and all of a large output
// comes out.
func TestInput(t *testing.T) {
	s := testSpec(t, "sh", "-c", "wc -c; head -c 3000000 /dev/zero")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Stdio.In = r
	go func() {
		_, _ = io.Copy(w, strings.NewReader(strings.Repeat("x", 1<<20)))
		w.Close()
	}()
	out, status := run(t, s)
	r.Close()
	if status.Code != 0 || len(out) != len("1048576\n")+3000000 {
		t.Errorf("%+v, %d bytes", status, len(out))
	}
}

// TestJoinNetwork: a sandbox in the network of another one.
func TestJoinNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "a user namespace that both sandboxes are in")
	}
	first := running(t, testSpec(t, "sleep", "1000"))
	net := fmt.Sprintf("/proc/%d/ns/", first.Pid())
	out := sh(t, "readlink /proc/self/ns/net; readlink /proc/self/ns/ipc", func(s *Spec) {
		for i := range s.Namespaces {
			switch s.Namespaces[i].Type {
			case NetNS, IPCNS:
				s.Namespaces[i].Path = net + string(s.Namespaces[i].Type)
			}
		}
	})
	links := namespaceLinks(t, fmt.Sprint(first.Pid()))
	if want := links["net"] + "\n" + links["ipc"] + "\n"; out != want {
		t.Errorf("%q, want %q", out, want)
	}
}

// TestJoinProcesses: a sandbox in the pid namespace of another one.
func TestJoinProcesses(t *testing.T) {
	if os.Geteuid() != 0 {
		lacking(t, "a user namespace that both sandboxes are in")
	}
	first := running(t, testSpec(t, "sleep", "1000"))
	out := sh(t, "cat /proc/1/cmdline", func(s *Spec) {
		for i := range s.Namespaces {
			if s.Namespaces[i].Type == PIDNS {
				s.Namespaces[i].Path = fmt.Sprintf("/proc/%d/ns/pid", first.Pid())
			}
		}
	})
	if out != "sleep\x001000\x00" {
		t.Errorf("%q", out)
	}
}

// TestOwnUserNamespace: as root, with ids of others.
func TestOwnUserNamespace(t *testing.T) {
	needMachineRoot(t)
	s := testSpec(t, "sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u /bin; touch /dev/shm/x; grep CapEff /proc/self/status; cat /proc/self/setgroups")
	s.Namespaces = append(s.Namespaces, Namespace{Type: UserNS})
	maps := []IDRange{{0, 100000, 65536}}
	s.IDMaps = IDMaps{UIDs: maps, GIDs: maps}
	for dir := s.RootPath; dir != "/tmp" && dir != "/"; dir = dir[:strings.LastIndex(dir, "/")] {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, status := run(t, s)
	if status.Code != 0 || !strings.HasPrefix(out, "0\n         0     100000      65536\n65534\n") || !strings.Contains(out, "a80425fb\nallow\n") {
		t.Errorf("%+v: %q", status, out)
	}
	s.Process.UID, s.Process.GID, s.Process.Args = 33, 34, []string{"sh", "-c", "id -u; id -g; : >/tmp/said; sleep 1000"}
	output := collect(t, &s.Stdio)
	sb := running(t, s)
	awaitFile(t, s, "tmp/said")
	if out, _ := in(t, sb, "id -u; cat /proc/self/attr/current >/dev/null 2>&1; ls /proc/self/fd | wc -l"); out != "0\n4\n" {
		t.Errorf("exec: %q", out)
	}
	_ = sb.Close()
	if out := output(); out != "33\n34\n" {
		t.Errorf("%q", out)
	}
}

// TestFilter: docker's profile is in force, in a program that is root.
func TestFilter(t *testing.T) {
	out := sh(t, "grep Seccomp: /proc/self/status; unshare -U true 2>&1; true", func(s *Spec) { s.Process.NoNewPrivs = true })
	if !strings.HasPrefix(out, "Seccomp:\t2\n") || !strings.Contains(out, "Operation not permitted") {
		t.Errorf("%q", out)
	}
}

func TestOutOfMemory(t *testing.T) {
	needMachineRoot(t)
	s := testSpec(t, "sh", "-c", "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo survived")
	s.Cgroup = Cgroup{Name: fmt.Sprintf("sandbox-test-oom-%d", os.Getpid()), MemoryBytes: 32 << 20}
	out, status := run(t, s)
	if !status.OOMKilled || strings.Contains(out, "survived") {
		t.Errorf("%+v: %q", status, out)
	}
	if left := groupsNamed(t, "sandbox-test-oom"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestProcessLimitAndStats(t *testing.T) {
	needMachineRoot(t)
	s := testSpec(t, "sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000 & : >/tmp/begun; wait")
	s.Cgroup = Cgroup{Name: fmt.Sprintf("sandbox-test-pids-%d", os.Getpid()), PIDs: 25}
	sb := running(t, s)
	// Before the others take all that there may be.
	awaitFile(t, s, "tmp/begun")
	if out, status := in(t, sb, "for i in $(seq 30); do sleep 1000 >/dev/null 2>&1 & done"); status.Code == 0 {
		t.Errorf("%+v: %q", status, out)
	}
	eventually(func() bool { return sb.Stats().PIDs >= 3 })
	mine, err := StatsOf(sb.Pid())
	if err != nil || mine.PIDs < 3 || mine.MemoryBytes <= 0 {
		t.Errorf("%+v, %v", mine, err)
	}
}

// TestParallel starts many at once.
func TestParallel(t *testing.T) {
	s := testSpec(t, "true")
	errs := make(chan error)
	const n = 30
	for range n {
		go func() {
			sb, err := Start(context.Background(), s)
			if err == nil {
				_, err = sb.Wait()
				err = errors.Join(err, sb.Close())
			}
			errs <- err
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestNested runs a sandbox in a sandbox that has parts of /proc hidden, so
// that no proc and no sysfs may be mounted anew: those that are there are bound.
func TestNested(t *testing.T) {
	out := probe(t, "nested", func(s *Spec) {
		s.Process.Seccomp = nil // docker's profile refuses user namespaces
		self, err := os.ReadFile("/bin/busybox")
		if err != nil {
			t.Fatal(err)
		}
		write(t, s.RootPath+"/bin/busybox", string(self), 0o755)
	})
	if !strings.HasPrefix(out, "0 inner ") || !strings.Contains(out, "proc works\n") || !strings.Contains(out, "sys works\n") {
		t.Errorf("%q", out)
	}
}

// TestSignalsAreDefault: what the caller ignores isn't ignored by the program.
func TestSignalsAreDefault(t *testing.T) {
	signal.Ignore(unix.SIGUSR1, unix.SIGHUP)
	defer signal.Reset(unix.SIGUSR1, unix.SIGHUP)
	for _, init := range []bool{false, true} {
		s := testSpec(t, "grep", "-E", "SigIgn|SigBlk", "/proc/self/status") // ash ignores SIGQUIT itself
		s.Init = init
		out, _ := run(t, s)
		if out != "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n" {
			t.Errorf("init %v: %q", init, out)
		}
	}
}

// TestGroupsAreSwept: what a killed caller leaves can be taken away by the
// next one, and one that is paused can be ended.
func TestGroupsAreSwept(t *testing.T) {
	needMachineRoot(t)
	s := testSpec(t, "sleep", "1000")
	s.Cgroup.Name = fmt.Sprintf("sandbox-test-left-%d", os.Getpid())
	sb := running(t, s)
	if err := sb.Freeze(true); err != nil {
		t.Fatal(err)
	}
	if err := RemoveGroup(s.Cgroup.Name); err != nil {
		t.Error(err)
	}
	if status, err := sb.Wait(); err != nil || status.Signal != int(unix.SIGKILL) {
		t.Errorf("%+v, %v", status, err)
	}
	if err := errors.Join(sb.Close(), RemoveGroup(s.Cgroup.Name)); err != nil {
		t.Error(err)
	}
	paused := running(t, s)
	if err := errors.Join(paused.Freeze(true), paused.Close()); err != nil {
		t.Error(err)
	}
	if left := groupsNamed(t, s.Cgroup.Name); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestNothingAccumulates: neither descriptors nor threads, of many sandboxes.
func TestNothingAccumulates(t *testing.T) {
	s := testSpec(t, "true")
	count := func(dir string) int {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	run(t, s)
	descriptors, threads := count("/proc/self/fd"), count("/proc/self/task")
	const runs = 60
	for range runs {
		run(t, s)
	}
	if n := count("/proc/self/fd"); n > descriptors+2 {
		t.Errorf("%d descriptors, before: %d", n, descriptors)
	}
	if n := count("/proc/self/task"); n > threads+runs/3 {
		t.Errorf("%d threads, before: %d", n, threads)
	}
}

// TestHostNamespaces: a sandbox that shares all it can with the host. Its sysfs
// is the host's where the network isn't its own.
func TestHostNamespaces(t *testing.T) {
	for _, init := range []bool{false, true} {
		out := sh(t, "readlink /proc/self/ns/net; readlink /proc/self/ns/pid; readlink /proc/self/ns/uts; test -d /sys/class/net/lo && echo sys; touch /sys/x 2>/dev/null; echo $?", func(s *Spec) {
			s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n Namespace) bool { return n.Type != MountNS && n.Type != UserNS })
			s.Hostname, s.Init = "", init
		})
		own := namespaceLinks(t, "self")
		if want := own["net"] + "\n" + own["pid"] + "\n" + own["uts"] + "\nsys\n1\n"; out != want {
			t.Errorf("%q, want %q", out, want)
		}
	}
}

// TestKillWithoutPIDNamespace: what a program left running is ended with it.
func TestKillWithoutPIDNamespace(t *testing.T) {
	needMachineRoot(t)
	s := testSpec(t, "sh", "-c", "echo ready; sleep 1000 & sleep 1000 & wait")
	s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n Namespace) bool { return n.Type == PIDNS })
	s.Cgroup.Name = fmt.Sprintf("sandbox-test-kill-%d", os.Getpid())
	output := collect(t, &s.Stdio)
	sb := running(t, s)
	if !eventually(func() bool { return sb.Stats().PIDs >= 3 }) {
		t.Errorf("its processes: %+v", sb.Stats())
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if out := output(); out != "ready\n" { // ends when nobody has the pipe
		t.Errorf("%q", out)
	}
}
