package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// workerWord makes the test program a worker.
const workerWord = "bench-test-worker"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerWord {
		err := error(nil)
		if len(os.Args) > 2 {
			err = Help(os.Args[3:])
		} else {
			err = Work(os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// needNamespaces ends a test where an ordinary user gets no user namespace.
func needNamespaces(t *testing.T) {
	t.Helper()
	out, err := exec.Command("unshare", "-Urm", "true").CombinedOutput()
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("needed in CI: user and mount namespaces: %v: %s", err, out)
	default:
		t.Skipf("needs user and mount namespaces: %v: %s", err, out)
	}
}

// tiny are options under which nothing takes long.
func tiny(t *testing.T, targets []Target, names ...string) *Options {
	t.Helper()
	sizes := DefaultSizes()
	if err := sizes.Set("0.002"); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"tree": 60, "layers": 3, "many": 5, "processes": 2} {
		sizes[name] = n
	}
	var chosen []Workload
	for _, w := range Workloads() {
		if slices.Contains(names, w.Name) {
			chosen = append(chosen, w)
		}
	}
	if len(chosen) != len(names) {
		t.Fatalf("not all of %v are workloads", names)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Options{
		Work: t.TempDir(), Generate: true, Targets: targets, Workloads: chosen, Base: targets[0].Name, Repeat: 2, Sizes: sizes,
		Patience: time.Minute, Worker: []string{exe, workerWord}, Progress: t.Output(), Version: "test",
	}
}

var native = Target{Name: "native", Native: true}

// bound is a union that isn't one: the lower tree copied and bound. It stands
// for targets that mount, where none can be told to be installed.
var bound = Target{Name: "bound", Mount: []string{"sh", "-euc", copyAndBind}}

// copyAndBind copies the lowest first.
const copyAndBind = "for dir in $(echo {lower} | tr : '\\n' | tac); do cp -a $dir/. {upper}; done; mount --bind {upper} {mount}"

func TestRun(t *testing.T) {
	needNamespaces(t)
	broken := Target{Name: "broken", Mount: []string{"sh", "-c", "echo no such union >&2; exit 3"}}
	absent := Target{Name: "absent", Mount: []string{"false"}, Missing: "isn't there"}
	o := tiny(t, []Target{native, bound, broken, absent},
		"find-first", "untar", "rm-lower", "append-big", "small-parallel", "copyup-latency", "mount-1")
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Workloads {
		wantSamples := map[string]int{"native": 2, "bound": 2}
		if row.Name == "mount-1" {
			wantSamples["native"] = 0
		}
		for _, c := range row.Cells {
			if len(c.Samples) != wantSamples[c.Target] {
				t.Errorf("%s on %s: %d samples, %s", row.Name, c.Target, len(c.Samples), c.why())
			}
		}
		if c := row.cell("broken"); !strings.Contains(c.Failed, "exit status 3: no such union") {
			t.Errorf("%s on a broken target: failed %q", row.Name, c.Failed)
		}
		if c := row.cell("absent"); c.Refused != "isn't there" {
			t.Errorf("%s on a missing target: refused %q", row.Name, c.Refused)
		}
	}
	if c := report.Workloads[slices.IndexFunc(report.Workloads, func(r WorkloadRow) bool { return r.Name == "copyup-latency" })].cell("bound"); c.Extra["p50"] <= 0 || c.Extra["p50"] > c.Extra["p100"] {
		t.Errorf("latencies: %v", c.Extra)
	}
	if report.Failed() {
		t.Error("what fails on other programs counts as ours")
	}
	nothingLeft(t, o)
}

// nothingLeft checks that no run's folder, mount or process stays.
func nothingLeft(t *testing.T, o *Options) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(o.Work, "runs*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), o.Work) {
		t.Errorf("a mount is left, or %v", err)
	}
	if pids := descendants(); len(pids) > 0 {
		t.Errorf("processes are left: %v", pids)
	}
}

// TestInterrupt ends a run in its middle, with a server that has left its
// parent and a tool at work.
func TestInterrupt(t *testing.T) {
	needNamespaces(t)
	marker := filepath.Join(t.TempDir(), "running")
	slow := Target{Name: "slow", Mount: []string{"sh", "-euc",
		copyAndBind + "; setsid sleep 1000 </dev/null >/dev/null 2>&1 & touch " + marker}}
	o := tiny(t, []Target{slow}, "small-parallel")
	o.Sizes["parallel"] = 10000000
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(marker); err == nil {
				time.Sleep(200 * time.Millisecond)
				cancel()
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	start := time.Now()
	report, err := Run(ctx, o)
	if err == nil || report == nil || len(report.Workloads[0].Cells[0].Samples) != 0 {
		t.Errorf("an interrupted run: error %v, report %+v", err, report)
	}
	if took := time.Since(start); took > 2*lastWait { // the tool would go on for hours
		t.Errorf("it took %v", took)
	}
	nothingLeft(t, o)
}

// TestPatience ends a run that takes too long; the next one runs.
func TestPatience(t *testing.T) {
	needNamespaces(t)
	o := tiny(t, []Target{{Name: "never", Mount: []string{"sleep", "1000"}}, native}, "find-again")
	o.Patience = 10 * time.Second // what the next one may take too, on a busy machine
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	row := report.Workloads[0]
	if c := row.cell("never"); !strings.Contains(c.Failed, "longer than 10s") {
		t.Errorf("failed %q", c.Failed)
	}
	if c := row.cell("native"); len(c.Samples) != 2 {
		t.Errorf("%d samples of the other, %s", len(c.Samples), c.why())
	}
	nothingLeft(t, o)
}

// TestOneAtATime: a second bench in the same folder is refused, and doesn't
// disturb the first.
func TestOneAtATime(t *testing.T) {
	o := tiny(t, []Target{native}, "find-again")
	first := &runner{Options: o}
	unlock, err := first.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "another bench") {
		t.Errorf("a second bench: %v", err)
	}
	unlock()
	if unlock, err = first.lock(); err != nil {
		t.Errorf("after the first: %v", err)
	} else {
		unlock()
	}
}

func TestWorkloadsAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Workloads() {
		if seen[w.Name] || w.Name == "" || w.What == "" || w.run == nil {
			t.Errorf("workload %q: twice, or without a description or a run", w.Name)
		}
		seen[w.Name] = true
		for _, name := range append(w.lowerNames(), w.files...) {
			if _, ok := fixtures[name]; !ok {
				t.Errorf("%s wants a fixture %q that nobody makes", w.Name, name)
			}
		}
	}
}
