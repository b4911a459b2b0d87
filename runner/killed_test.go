package runner

import (
	"bufio"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A monitor that is killed takes its container along, whenever that is; the next
// command finds it ended, can start it, and removes it without a trace.
func TestKilledMonitors(t *testing.T) {
	r := newRunner(t)
	// Whoever loses a parent comes to us, to be seen.
	must(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
	for _, init := range []bool{false, true} {
		for i := range 15 {
			killMonitor(t, r, init, time.Duration(i*i)*500*time.Microsecond)
		}
		killMonitor(t, r, init, -1)
	}
}

// killMonitor kills a monitor some time after its start, or, below zero, when its
// program runs.
func killMonitor(t *testing.T, r *Runner, init bool, after time.Duration) {
	t.Helper()
	spec := failingSpec()
	spec.TTY, spec.Init, spec.Args = false, init, []string{"sh", "-c", "sleep 1000 & sleep 1000"}
	before := tracesOf(t, r)
	c, err := r.Create(t.Context(), "", spec)
	must(t, err)
	cmd, out := startMonitor(t, r, &c)
	if after < 0 {
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "started\n" {
			t.Fatalf("the monitor said %q (%v)", line, err)
		}
	}
	time.Sleep(max(after, 0))
	must(t, cmd.Process.Kill())
	_, _ = cmd.Process.Wait()

	var left []string
	if !within(patience, func() bool {
		reapOrphans()
		left = newProcesses(before, tracesOf(t, r))
		return len(left) == 0
	}) {
		t.Errorf("killed after %v: processes are left: %q", after, left)
	}
	found, err := r.Find(c.ID)
	if err != nil || found.State.Status == Running {
		t.Errorf("killed after %v: its state is %+v (%v)", after, found.State, err)
	}
	if after < 0 && (found.State.Status != Exited || found.State.ExitCode != lostCode) {
		t.Errorf("killed while it ran: its state is %+v", found.State)
	}
	// It is as good as new.
	found.Spec.Args, found.Spec.Remove = []string{"true"}, true
	if st, err := r.Monitor(t.Context(), &found, MonitorOptions{}); err != nil || st.ExitCode != 0 {
		t.Errorf("killed after %v: started again: %+v, %v", after, st, err)
	}
	out.(*os.File).Close()
	if !within(patience, func() bool { left = newTraces(before, tracesOf(t, r), c.ID); return len(left) == 0 }) {
		t.Errorf("killed after %v: these are left: %q", after, left)
	}
}

func newProcesses(before, after traces) []string {
	return newTraces(traces{children: before.children}, traces{children: after.children}, "")
}

// reapOrphans waits for those whose parent was killed; the test's own children
// have been waited for.
func reapOrphans() {
	for {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}
