package sandbox

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenSpec() Spec {
	adj := 100
	return Spec{
		RootPath: "/images/debian", ReadOnly: true, Init: true,
		Process: Process{
			Args: []string{"bash", "-l"}, Dir: "/work", TTY: true, UID: 1000, GID: 100, Groups: []uint32{4, 27},
			Capabilities: []string{"CAP_CHOWN", "CAP_KILL"}, NoNewPrivs: true, Seccomp: []byte("{}"),
			Rlimits: []Rlimit{{"nofile", 1024, 2048}}, OOMScoreAdj: &adj,
		},
		Hostname: "box", Domainname: "example",
		Namespaces: []Namespace{{Type: UserNS}, {Type: MountNS}, {Type: PIDNS}, {Type: NetNS}, {Type: UTSNS}, {Type: IPCNS, Path: "/proc/7/ns/ipc"}},
		IDMaps:     IDMaps{UIDs: []IDRange{{0, 1000, 1}, {1, 100000, 65536}}, GIDs: []IDRange{{0, 1000, 1}}},
		Mounts: []Mount{
			{Type: "proc", Source: "proc", Target: "/proc", Options: []string{"nosuid"}},
			{Type: "bind", Source: "/data", Target: "/data", Options: []string{"rbind", "rro"}, Optional: true, IDMap: &IDMaps{UIDs: []IDRange{{0, 5, 1}}}},
			{Type: "tmpfs", Target: "/run", Options: []string{"size=1m"}, CopyUp: true},
		},
		Devices:       []Device{{Path: "/dev/null", Type: "c", Major: 1, Minor: 3, Mode: 0o666}, {Path: "/dev/fuse", Source: "/dev/fuse"}},
		Links:         []Link{{"/dev/fd", "/proc/self/fd"}},
		MaskedPaths:   []string{"/proc/kcore"},
		ReadonlyPaths: []string{"/proc/sys"},
		Sysctls:       map[string]string{"net.ipv4.ip_forward": "1", "net.core.somaxconn": "10"},
		Cgroup:        Cgroup{Name: "box", MemoryBytes: 1 << 20, CPUs: 1.5, PIDs: 10, Devices: true},
	}
}

// TestPlan compares the plan of a spec that has everything; -update writes it.
func TestPlan(t *testing.T) {
	s := goldenSpec()
	steps := Plan(&s)
	file := filepath.Join("testdata", "plan.txt")
	if *update {
		write(t, file, PlanText(steps), 0o644)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := PlanText(steps); got != string(want) {
		t.Errorf("the plan is\n%s\nand should be\n%s", got, want)
	}
	text, err := json.Marshal(steps)
	if err != nil || !strings.Contains(string(text), `{"where":"inside","kind":"pivot",`) {
		t.Errorf("as JSON: %s, %v", text, err)
	}
}

// TestPlanCrossesTheBorder: the inside makes the plan from the spec that it got,
// and it must be the same one.
func TestPlanCrossesTheBorder(t *testing.T) {
	s := goldenSpec()
	text, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	var there Spec
	if err := json.Unmarshal(text, &there); err != nil {
		t.Fatal(err)
	}
	if got, want := PlanText(Plan(&there)), PlanText(Plan(&s)); got != want {
		t.Errorf("the plan is\n%s\nand was\n%s", got, want)
	}
}
