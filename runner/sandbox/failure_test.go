package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// traces are what a sandbox could leave behind.
type traces struct {
	mounts, children, groups string
	descriptors              int
}

func look(t testing.TB, root string) (s traces) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, root) { // others mount meanwhile too
			s.mounts += line
		}
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err == nil { // a thread may be gone
			s.children += string(text)
		}
	}
	s.groups = strings.Join(groupsNamed(t, "sandbox-test-"), " ")
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	s.descriptors = len(fds)
	return s
}

// settledIn waits until nothing is there that wasn't before, and answers what is
// there then. What was going before may be gone: that is no trace.
func settledIn(t testing.TB, root string, before traces) (after traces, settled bool) {
	t.Helper()
	settled = eventually(func() bool {
		after = look(t, root)
		return after.mounts == before.mounts && after.groups == before.groups &&
			after.descriptors <= before.descriptors && len(newWords(before.children, after.children)) == 0
	})
	return after, settled
}

// newWords are those of after that before hasn't.
func newWords(before, after string) []string {
	old := strings.Fields(before)
	return slices.DeleteFunc(strings.Fields(after), func(word string) bool { return slices.Contains(old, word) })
}

// testPatience is how long anything may take on a busy machine that will come.
const testPatience = time.Minute

// eventually waits for something to come true.
func eventually(done func() bool) bool {
	for end := time.Now().Add(testPatience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// groupsNamed finds this process' groups of a name that ends with its number: the
// tests of others are not in it.
func groupsNamed(t testing.TB, prefix string) (out []string) {
	t.Helper()
	dirs, err := groupsOf("self")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s*%d", prefix, os.Getpid())))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestEachStepFails fails each step of the plan in its turn: the error says
// which, and nothing stays.
func TestEachStepFails(t *testing.T) {
	for _, init := range []bool{false, true} {
		t.Run(fmt.Sprintf("init=%v", init), func(t *testing.T) { failEachStep(t, init) })
	}
}

func failEachStep(t *testing.T, init bool) {
	s := testSpec(t, "true")
	s.Process.TTY, s.Init = true, init
	s.ReadOnly = true
	s.Sysctls = map[string]string{"net.ipv4.ip_forward": "1"}
	s.Process.Rlimits = []Rlimit{{"core", 0, 0}}
	s.Cgroup = Cgroup{Name: fmt.Sprintf("sandbox-test-%d", os.Getpid())}
	adj := 500
	s.Process.OOMScoreAdj = &adj
	defer func() { failStep = -1 }()
	// Once, for what is made once for all sandboxes.
	if _, status := run(t, s); status.Code != 0 {
		t.Fatalf("without failure: %+v", status)
	}
	before := look(t, s.RootPath)
	steps := Plan(&s)
	for i, step := range steps {
		if step.Kind == "init" {
			continue // says how, and does nothing itself
		}
		failStep = i
		_, _, err := tryRun(t, s)
		var start *StartError
		if !errors.As(err, &start) || start.Step != step.Kind || start.Code != 125 {
			t.Errorf("step %d, %s: %v", i, step, err)
		}
		if after, settled := settledIn(t, s.RootPath, before); !settled {
			t.Fatalf("step %d, %s left something: %+v, before: %+v", i, step, after, before)
		}
	}
}

// TestCancel: a caller who gives up leaves nothing either.
func TestCancel(t *testing.T) {
	s := testSpec(t, "sleep", "1000")
	before := look(t, s.RootPath)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	sb, err := Create(context.Background(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.Close(); err != nil {
		t.Error(err)
	}
	if after, settled := settledIn(t, s.RootPath, before); !settled {
		t.Errorf("left: %+v, before: %+v", after, before)
	}
}

// TestCallerKilled kills the one who started a sandbox: all of it must die.
func TestCallerKilled(t *testing.T) {
	kinds := []struct {
		name string
		init bool
		uid  uint32
	}{{"root", false, 0}, {"init", true, 0}}
	if isMachineRoot() { // elsewhere one id alone is mapped
		kinds = append(kinds, struct {
			name string
			init bool
			uid  uint32
		}{"user", false, 1000})
	}
	for _, c := range kinds {
		t.Run(c.name, func(t *testing.T) {
			callerKilled(t, c.init, c.uid)
		})
	}
}

// TestEachStepOfExecFails is the same for a further program; the sandbox goes
// on.
func TestEachStepOfExecFails(t *testing.T) {
	s := testSpec(t, "sleep", "1000")
	sb := running(t, s)
	p := Process{Args: []string{"/bin/true"}, TTY: true, Capabilities: dockerCaps, Seccomp: DefaultSeccomp()}
	defer func() { failStep = -1 }()
	if _, status := in(t, sb, "true"); status.Code != 0 {
		t.Fatalf("without failure: %+v", status)
	}
	before := look(t, s.RootPath)
	for i, step := range execPlan(sb.Pid(), &p) {
		failStep = i
		more, err := Exec(context.Background(), sb.Pid(), p, Stdio{})
		if err == nil {
			more.Close()
		}
		var start *StartError
		if !errors.As(err, &start) || start.Step != step.Kind || start.Code != 125 {
			t.Errorf("step %d, %s: %v", i, step, err)
		}
		if after, settled := settledIn(t, s.RootPath, before); !settled {
			t.Fatalf("step %d, %s left something: %+v, before: %+v", i, step, after, before)
		}
	}
	failStep = -1
	// The shell looks by itself: parts of a pipe would or wouldn't have begun.
	if out, status := in(t, sb, "set -- /proc/[0-9]*; echo $#"); status.Code != 0 || strings.TrimSpace(out) != "2" {
		t.Errorf("processes in the sandbox: %q, %+v", out, status) // sleep, sh
	}
}
