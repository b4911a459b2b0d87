package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestParseHierarchies(t *testing.T) {
	for name, test := range map[string]struct {
		mounts, groups string
		unified        string // own group
		v1             map[string]string
	}{
		"v2": {
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			"0::/user.slice/user-1000.slice/session-1.scope\n",
			"/sys/fs/cgroup/user.slice/user-1000.slice/session-1.scope", nil,
		},
		"hybrid": {
			"1 0 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"2 0 0:2 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n" +
				"3 0 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"3:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n",
			"/sys/fs/cgroup/unified/c",
			map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct/a", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/a"},
		},
		"a part of the hierarchy, as docker binds it": {
			"1 0 0:1 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n" +
				"2 0 0:2 /docker/2 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n",
			"3:memory:/docker/1/sub\n4:pids:/elsewhere\n",
			"", map[string]string{"memory": "/sys/fs/cgroup/memory/sub"},
		},
		"a name with a blank": {
			`1 0 0:1 / /mnt/my\040groups rw - cgroup2 none rw` + "\n", "0::/\n", "/mnt/my groups", nil,
		},
		"none": {"1 0 0:1 / /proc rw - proc proc rw\n", "0::/\n", "", nil},
	} {
		h := parseHierarchies(test.mounts, test.groups)
		unified := ""
		if h.unified != nil {
			unified = h.unified.own
		}
		if unified != test.unified {
			t.Errorf("%s: unified %q, want %q", name, unified, test.unified)
		}
		if len(h.v1) != len(test.v1) {
			t.Errorf("%s: %d controllers, want %d", name, len(h.v1), len(test.v1))
		}
		for controller, want := range test.v1 {
			if p := h.v1[controller]; p == nil || p.own != want {
				t.Errorf("%s: %s: %+v, want %s", name, controller, p, want)
			}
		}
	}
}

var allLimits = Cgroup{
	Name: "box", MemoryBytes: 64 << 20, MemorySwapBytes: 96 << 20, CPUs: 1.5, CPUShares: 1024, CpusetCPUs: "0", PIDs: 50,
}

func settingsText(settings []setting) (lines []string) {
	for _, s := range settings {
		lines = append(lines, s.controller+" "+s.file+"="+s.value)
	}
	return lines
}

func TestSettings(t *testing.T) {
	v1 := []string{
		"memory memory.limit_in_bytes=67108864", "memory memory.memsw.limit_in_bytes=100663296",
		"cpu cpu.cfs_period_us=100000", "cpu cpu.cfs_quota_us=150000", "cpu cpu.shares=1024",
		"cpuset cpuset.cpus=0", "pids pids.max=50",
	}
	v2 := []string{
		"memory memory.max=67108864", "memory memory.swap.max=33554432", "cpu cpu.max=150000 100000",
		"cpu cpu.weight=39", "cpuset cpuset.cpus=0", "pids pids.max=50",
	}
	if got := settingsText(v1Settings(allLimits)); !slices.Equal(got, v1) {
		t.Errorf("v1: %q", got)
	}
	if got := settingsText(v2Settings(allLimits)); !slices.Equal(got, v2) {
		t.Errorf("v2: %q", got)
	}
	unlimited := Cgroup{MemorySwapBytes: -1, PIDs: -1}
	if got := append(v1Settings(unlimited), v2Settings(unlimited)...); len(got) != 0 {
		t.Errorf("no limits: %q", settingsText(got))
	}
	for shares, weight := range map[uint64]uint64{1: 1, 2: 1, 1024: 39, 262144: 10000, 1 << 40: 10000} {
		if got := cpuWeight(shares); got != weight {
			t.Errorf("weight of %d shares: %d, want %d", shares, got, weight)
		}
	}
}

// groupFiles makes the files of a directory that stands for a group.
func groupFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnifiedFiles(t *testing.T) {
	dir := t.TempDir()
	groupFiles(t, dir, map[string]string{
		"memory.max": "", "memory.swap.max": "", "cpu.max": "", "cpu.weight": "", "cpuset.cpus": "", "pids.max": "",
		"memory.current": "3000\n", "memory.stat": "anon 100\ninactive_file 1000\n", "memory.events": "max 4\noom 1\noom_kill 0\n",
		"cpu.stat": "usage_usec 25\nuser_usec 20\n", "pids.current": "3\n", "cgroup.procs": "",
	})
	g := &cgroup{unified: dir}
	if err := g.set(allLimits); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"memory.max": "67108864", "memory.swap.max": "33554432", "cpu.max": "150000 100000", "cpu.weight": "39", "pids.max": "50"} {
		if got := readGroupFile(dir, file); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
	if got, want := g.stats(), (Stats{MemoryBytes: 2000, MemoryLimit: 64 << 20, CPUNanos: 25000, PIDs: 3}); got != want {
		t.Errorf("stats: %+v, want %+v", got, want)
	}
	if g.oomKilled() {
		t.Error("killed for want of memory")
	}
	groupFiles(t, dir, map[string]string{"memory.events": "oom 1\noom_kill 2\n", "memory.max": "max\n"})
	if !g.oomKilled() {
		t.Error("not killed for want of memory")
	}
	if got := g.stats().MemoryLimit; got != 0 {
		t.Errorf("limit max: %d", got)
	}
	if err := os.Remove(filepath.Join(dir, "memory.swap.max")); err != nil {
		t.Fatal(err)
	}
	if err := g.set(allLimits); err == nil || !strings.Contains(err.Error(), "swapaccount=1") {
		t.Errorf("no swap files: %v", err)
	}
}

func TestMissingControllers(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(root, "user.slice")
	groupFiles(t, root, map[string]string{"cgroup.controllers": "cpu memory pids\n"})
	groupFiles(t, own, map[string]string{"cgroup.controllers": "pids\n"})
	v2 := &hierarchies{unified: &place{root, own}}
	for name, test := range map[string]struct {
		h     *hierarchies
		limit Cgroup
		want  []string
	}{
		"nothing mounted":       {&hierarchies{}, Cgroup{PIDs: 5}, []string{"limit of 5 processes", "no pids cgroup"}},
		"not delegated":         {v2, Cgroup{MemoryBytes: 4096, CPUs: 0.5}, []string{"memory limit of 4096 bytes", "limit of 0.5 CPUs", "Delegate", own}},
		"not in the kernel":     {v2, Cgroup{CpusetCPUs: "0-1"}, []string{"CPU set 0-1", "cgroup_enable=cpuset"}},
		"v1 of somebody else's": {&hierarchies{v1: map[string]*place{"memory": {"/nowhere", "/nowhere/a"}}}, Cgroup{MemoryBytes: 4096}, []string{"/nowhere/a", "run as root"}},
	} {
		test.limit.Name = "box"
		_, err := test.h.newCgroup(test.limit, nil)
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", name, err, want)
			}
		}
	}
	if g, err := (&hierarchies{}).newCgroup(Cgroup{Name: "box", MemorySwapBytes: -1, PIDs: -1, Devices: true}, nil); g != nil || err != nil {
		t.Errorf("nothing asked, nothing there: %v, %v", g, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "a\n"} {
		if _, err := (&hierarchies{}).newCgroup(Cgroup{Name: name}, nil); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

// A group with processes can't hand out controllers: the new one is made beside
// it, where they are.
func TestUnifiedParents(t *testing.T) {
	root := &place{"/sys/fs/cgroup", "/sys/fs/cgroup"}
	if got := root.parents(); !slices.Equal(got, []string{"/sys/fs/cgroup"}) {
		t.Errorf("of the root: %q", got)
	}
	scope := &place{"/sys/fs/cgroup", "/sys/fs/cgroup/app.slice/a.scope"}
	if got := scope.parents(); !slices.Equal(got, []string{scope.own, "/sys/fs/cgroup/app.slice"}) {
		t.Errorf("of a scope: %q", got)
	}
}

func TestDeviceRules(t *testing.T) {
	got, err := deviceRules([]Device{
		{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}, {Path: "/dev/p", Type: "p"},
		{Path: "/dev/sda", Type: "b", Major: 8, Access: "r"}, {Path: "/dev/zero", Source: "/dev/zero", Access: "rw"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"c 10:229 rwm", "b 8:0 r", "c 1:5 rw"}
	for i, r := range got {
		if i >= len(want) || r.String() != want[i] {
			t.Errorf("rule %d: %s", i, r)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rules, want %d", len(got), len(want))
	}
	if s := (deviceRule{'c', -1, -1, "m"}).String(); s != "c *:* m" {
		t.Errorf("all nodes: %q", s)
	}
}

func needControl(t *testing.T) *hierarchies {
	t.Helper()
	h, err := findHierarchies()
	if err != nil {
		t.Fatal(err)
	}
	g, err := h.newCgroup(Cgroup{Name: groupName(t), PIDs: 10, MemoryBytes: 1 << 30, CPUs: 1}, nil)
	if err == nil {
		if err := g.remove(); err != nil {
			t.Fatal(err)
		}
		return h
	}
	// An ordinary user has cgroups only where they were delegated; who can't
	// must be told so.
	if !strings.Contains(err.Error(), "run as root") && !strings.Contains(err.Error(), "mount one") {
		t.Fatalf("no advice: %v", err)
	}
	lacking(t, "cgroups: %v", err)
	return nil
}

func groupName(t *testing.T) string {
	return fmt.Sprintf("unionfs-test-%d-%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
}

// inGroup runs a shell in a group, which starts once it is in it.
func inGroup(t *testing.T, g *cgroup, script string) *exec.Cmd {
	t.Helper()
	ready, start, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/bin/sh", "-c", "read word; "+script)
	c.Stdin = ready
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// A frozen process of v1 ends only when it thaws, which kill does.
	t.Cleanup(func() { _ = errors.Join(c.Process.Kill(), g.kill(), c.Wait()) })
	if err := g.join(c.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if _, err := start.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	_ = errors.Join(ready.Close(), start.Close())
	return c
}

func testGroup(t *testing.T, c Cgroup, devices ...Device) *cgroup {
	t.Helper()
	h := needControl(t)
	c.Name = groupName(t)
	g, err := h.newCgroup(c, devices)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(g.kill(), g.remove()); err != nil {
			t.Error(err)
		}
		for _, dir := range g.dirs() {
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s is left", dir)
			}
		}
	})
	return g
}

// eachVersion runs a test on the group as it is, and on its parts alone.
func eachVersion(t *testing.T, run func(t *testing.T, g *cgroup)) {
	t.Run("whole", func(t *testing.T) { run(t, testGroup(t, Cgroup{})) })
	all := testGroup(t, Cgroup{})
	if all.unified == "" || len(all.v1) == 0 {
		return // it has one part
	}
	t.Run("v1", func(t *testing.T) { run(t, &cgroup{v1: all.v1}) })
	t.Run("v1 without a freezer", func(t *testing.T) {
		if strings.Contains(t.Name(), "Freeze") {
			err := (&cgroup{v1: map[string]string{"pids": all.v1["pids"]}}).freeze(true)
			if err == nil || !strings.Contains(err.Error(), "Delegate") {
				t.Errorf("%v", err)
			}
			return
		}
		run(t, &cgroup{v1: map[string]string{"pids": all.v1["pids"]}})
	})
	t.Run("v2", func(t *testing.T) { run(t, &cgroup{unified: all.unified}) })
}

func TestGroupStats(t *testing.T) {
	g := testGroup(t, Cgroup{})
	inGroup(t, g, "sleep 1000 & sleep 1000 & wait")
	if err := g.await("three processes", func() bool { return len(g.processes()) == 3 }); err != nil {
		t.Fatal(err)
	}
	if got := g.stats(); got.PIDs != 3 || got.MemoryBytes == 0 || got.CPUNanos == 0 || got.MemoryLimit != 0 {
		t.Errorf("stats of a shell and two sleeps: %+v", got)
	}
}

func TestDiskBytes(t *testing.T) {
	if read, written := blockBytes("8:0 Read 4096\n8:0 Write 10\n8:0 Sync 1\n8:16 Read 4\nTotal 4111\n\nodd\n8:0 Read many\n"); read != 4100 || written != 10 {
		t.Errorf("v1: %d, %d", read, written)
	}
	if read, written := ioBytes("8:0 rbytes=4096 wbytes=10 rios=1 wios=1 dbytes=7 dios=1\n8:16 rbytes=4 wbytes=x\n"); read != 4100 || written != 10 {
		t.Errorf("v2: %d, %d", read, written)
	}
}

func TestGroupKill(t *testing.T) { eachVersion(t, testKill) }

func testKill(t *testing.T, g *cgroup) {
	c := inGroup(t, g, "sleep 1000 & sleep 1000 & wait")
	if err := g.await("three processes", func() bool { return len(g.processes()) == 3 }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	if err := g.kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the shell's end: %v", err)
	}
	if g.oomKilled() {
		t.Error("it says that there was no memory")
	}
}

func TestGroupFreeze(t *testing.T) { eachVersion(t, testFreeze) }

func testFreeze(t *testing.T, g *cgroup) {
	out := filepath.Join(t.TempDir(), "out")
	inGroup(t, g, "while :; do echo x >>"+out+"; sleep 0.01; done")
	// What runs writes at some time; what is frozen doesn't within half a second.
	grows := func(patience time.Duration) bool {
		size := fileSize(out)
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if time.Sleep(10 * time.Millisecond); fileSize(out) > size {
				return true
			}
		}
		return false
	}
	if !grows(testPatience) {
		t.Fatal("it doesn't run")
	}
	if err := g.freeze(true); err != nil {
		t.Fatal(err)
	}
	if grows(500 * time.Millisecond) {
		t.Error("it runs while it is frozen")
	}
	if err := g.freeze(false); err != nil {
		t.Fatal(err)
	}
	if !grows(testPatience) {
		t.Error("it doesn't run again")
	}
	if err := g.freeze(true); err != nil {
		t.Fatal(err)
	}
	// The end of the test kills it frozen.
}

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

func TestGroupLimits(t *testing.T) {
	g := testGroup(t, Cgroup{MemoryBytes: 32 << 20, CPUs: 0.5, CPUShares: 512, CpusetCPUs: "0", PIDs: 5})
	if got := g.stats().MemoryLimit; got != 32<<20 {
		t.Errorf("memory limit %d", got)
	}
	// A shell that asks for more processes than it may have.
	c := inGroup(t, g, "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done 2>/dev/null; wait")
	_ = c.Wait()
	if got := g.stats().PIDs; got > 5 || got < 2 {
		t.Errorf("%d processes, and 5 are allowed", got)
	}
}

func TestGroupOutOfMemory(t *testing.T) {
	g := testGroup(t, Cgroup{MemoryBytes: 16 << 20})
	if _, err := os.Stat("/usr/bin/tail"); err != nil {
		t.Fatal(err)
	}
	// tail keeps a last line that never ends.
	c := inGroup(t, g, "exec head -c 100m /dev/zero | tail -n 1 >/dev/null")
	_ = c.Wait()
	if !g.oomKilled() {
		t.Errorf("100 MB in 16 MB of memory: %v", c.ProcessState)
	}
}

// What a cut-off run leaves is taken away; what is used is not.
func TestGroupLeft(t *testing.T) {
	g := testGroup(t, Cgroup{})
	h, err := findHierarchies()
	if err != nil {
		t.Fatal(err)
	}
	again := Cgroup{Name: groupName(t)}
	if _, err := h.newCgroup(again, nil); err != nil {
		t.Fatalf("an empty group of that name: %v", err)
	}
	inGroup(t, g, "sleep 1000")
	if _, err := h.newCgroup(again, nil); err == nil || !strings.Contains(err.Error(), "processes in it") {
		t.Fatalf("a group of that name in use: %v", err)
	}
}

// checkDevices opens nodes in the group: kmsg's number 1:11 isn't among the
// defaults.
func checkDevices(t *testing.T, g *cgroup) {
	t.Helper()
	denied := filepath.Join(t.TempDir(), "denied")
	if err := unix.Mknod(denied, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11))); err != nil {
		t.Fatal(err)
	}
	outside := exec.Command("/bin/sh", "-c", "exec 3<"+denied)
	if err := outside.Run(); err != nil {
		t.Fatalf("the node can't be opened outside: %v", err)
	}
	for script, code := range map[string]int{
		"head -c 1 /dev/zero >/dev/null":         0,
		"exec 3<" + denied:                       2,
		"mknod " + denied + "2 c 1 11":           0,
		": >/dev/null && head -c 1 /dev/urandom": 0,
	} {
		c := inGroup(t, g, script+" 2>/dev/null")
		_ = c.Wait()
		if got := c.ProcessState.ExitCode(); (got == 0) != (code == 0) {
			t.Errorf("%s: exit %d", script, got)
		}
	}
}

func TestDevicesInKernel(t *testing.T) {
	needMachineRoot(t)
	g := testGroup(t, Cgroup{Devices: true}, Device{Type: "c", Major: 10, Minor: 229, Access: "rw"})
	checkDevices(t, g)
}

// The program of cgroup v2 works in a hybrid hierarchy too.
func TestDeviceProgramInKernel(t *testing.T) {
	needMachineRoot(t)
	all := testGroup(t, Cgroup{})
	if all.unified == "" {
		lacking(t, "a unified hierarchy (v1 alone has no programs)")
	}
	g := &cgroup{unified: all.unified}
	if err := g.restrictDevices(nil); err != nil {
		t.Fatal(err)
	}
	code := deviceProgram(defaultDeviceRules)
	program, err := loadDeviceProgram(code)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(program)
	checkDevices(t, g)
}

func BenchmarkNewCgroup(b *testing.B) {
	needMachineRoot(b)
	for b.Loop() {
		g, err := newCgroup(Cgroup{Name: fmt.Sprintf("unionfs-bench-%d", os.Getpid())}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := g.remove(); err != nil {
			b.Fatal(err)
		}
	}
}
