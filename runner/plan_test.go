package runner

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/runner/sandbox"
)

// plans are requests whose plans stand in testdata. UPDATE=1 writes them anew:
// the difference is for people to read.
var plans = map[string]struct {
	spec  Spec
	facts Facts
}{
	"root": {Spec{}, Facts{InitialUserNS: true, Seccomp: true}},
	"everything": {Spec{
		Args: []string{"-v"}, User: "www", Hostname: "web", Init: true, ReadOnly: true, NoNewPrivs: true,
		CapAdd: []string{"SYS_PTRACE"}, CapDrop: []string{"MKNOD"}, Ulimits: []string{"nofile=64:128"}, ShmSize: 1 << 20,
		Devices: []string{"/dev/fuse"}, Sysctls: map[string]string{"net.ipv4.ip_forward": "1"},
		Resources: Resources{Memory: 1 << 28, CPUs: 1.5, PIDs: 100},
		Binds:     []Bind{{Source: "/srv/www", Target: "/var/www", Options: []string{"ro"}}},
		Tmpfs:     []Bind{{Target: "/tmp", Options: []string{"size=1m"}}},
	}, Facts{InitialUserNS: true, Seccomp: true, CgroupV2: true}},
	"one id":     {Spec{NetMode: "host", PIDMode: "host", IPCMode: "host", UTSMode: "host"}, Facts{SingleID: true, Seccomp: true}},
	"privileged": {Spec{Privileged: true}, Facts{InitialUserNS: true, Seccomp: true}},
}

func TestPlans(t *testing.T) {
	for name, row := range plans {
		t.Run(name, func(t *testing.T) {
			r := Request{
				ID: strings.Repeat("0123456789abcdef", 4), Spec: row.spec, EtcDir: "/store/etc",
				Config:   v1.Config{Entrypoint: []string{"/bin/serve"}, Cmd: []string{"all"}, WorkingDir: "/var", Env: []string{"A=1"}},
				Accounts: Accounts{Passwd: "root:x:0:0::/root:\nwww:x:33:33::/var/www:\n", Group: "www:x:33:\n"},
			}
			for _, b := range row.spec.Binds {
				r.Mounts = append(r.Mounts, sandbox.Mount{Type: "bind", Source: b.Source, Target: b.Target, Options: b.Options})
			}
			one, err := NewPlan(r, row.facts)
			if err != nil {
				t.Fatal(err)
			}
			two, err := NewPlan(r, row.facts)
			if err != nil || !reflect.DeepEqual(one, two) {
				t.Errorf("the same request makes two plans (%v)", err)
			}
			one.RootPath = "/store/root"
			golden(t, filepath.Join("testdata", "plan-"+strings.ReplaceAll(name, " ", "-")+".txt"), sandbox.PlanText(sandbox.Plan(&one)))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the plan is\n%s\nand %s has\n%s", got, file, want)
	}
}

// A container whose monitor doesn't live is not running, whatever its state
// says.
func TestStateOfKilledMonitor(t *testing.T) {
	c := containerIn(t.TempDir())
	if err := writeState(&c.Snapshot, State{Status: Running, PID: 1, StartedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	r := &Runner{}
	if st, err := r.state(&c.Snapshot); err != nil || st.Status != Exited || st.ExitCode != lostCode || st.PID != 0 {
		t.Errorf("got %+v, %v", st, err)
	}
	lock, err := lockMonitor(&c.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.release()
	if st, err := r.state(&c.Snapshot); err != nil || st.Status != Running {
		t.Errorf("with its monitor: got %+v, %v", st, err)
	}
	if _, err := lockMonitor(&c.Snapshot); err != errMonitored {
		t.Errorf("a second monitor: %v", err)
	}
}

func TestDamagedState(t *testing.T) {
	c := containerIn(t.TempDir())
	if err := os.WriteFile(c.file(stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Runner{}).state(&c.Snapshot); err == nil {
		t.Error("a damaged state was read")
	}
}
