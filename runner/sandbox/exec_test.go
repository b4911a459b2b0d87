package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// running starts a sandbox that waits until the test ends.
func running(t testing.TB, s Spec) *Sandbox {
	t.Helper()
	sb, err := Start(context.Background(), s)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return sb
}

// in runs a shell script in a running sandbox.
func in(t testing.TB, sb *Sandbox, script string, change ...func(*Process)) (string, Status) {
	t.Helper()
	p := Process{
		Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin"},
		Capabilities: dockerCaps, Seccomp: DefaultSeccomp(),
	}
	for _, c := range change {
		c(&p)
	}
	var stdio Stdio
	output := collect(t, &stdio)
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	more, err := Exec(ctx, sb.Pid(), p, stdio)
	if err != nil {
		t.Fatalf("exec: %v (%s)", err, output())
	}
	stop := context.AfterFunc(ctx, func() { _ = more.Kill() })
	defer stop()
	status, err := more.Wait()
	if err := errors.Join(err, more.Close()); err != nil {
		t.Error(err)
	}
	return output(), status
}

func TestExec(t *testing.T) {
	sb := running(t, testSpec(t, "sleep", "1000"))
	out, status := in(t, sb, "hostname; pwd; id -u; ls /; cat /proc/1/cmdline; ls /proc/self/fd | wc -l; exit 3")
	if status.Code != 3 {
		t.Errorf("status %+v", status)
	}
	for _, want := range []string{"box\n/\n0\nbin\n", "sleep\x001000\x00"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
	// 0, 1, 2 and the directory that ls reads.
	if !strings.HasSuffix(out, "\x004\n") {
		t.Errorf("descriptors: %q", out)
	}
	theirs := namespaceLinks(t, "self")
	for kind, link := range namespaceLinksInside(t, sb) {
		if kind != "user" && kind != "time" && link == theirs[kind] {
			t.Errorf("the %s namespace is the host's", kind)
		}
	}
}

func namespaceLinks(t testing.TB, pid string) map[string]string {
	t.Helper()
	links := map[string]string{}
	for _, f := range cloneFlags {
		link, err := os.Readlink("/proc/" + pid + "/ns/" + string(f.kind))
		if err != nil {
			t.Fatal(err)
		}
		links[string(f.kind)] = link
	}
	return links
}

func namespaceLinksInside(t testing.TB, sb *Sandbox) map[string]string {
	t.Helper()
	out, _ := in(t, sb, "for n in ipc uts net pid cgroup mnt user; do echo $n $(readlink /proc/self/ns/$n); done")
	links := map[string]string{}
	for line := range strings.Lines(out) {
		kind, link, _ := strings.Cut(strings.TrimSpace(line), " ")
		links[kind] = link
	}
	if len(links) != len(cloneFlags) {
		t.Fatalf("namespaces: %q", out)
	}
	return links
}

func TestExecErrors(t *testing.T) {
	sb := running(t, testSpec(t, "sleep", "1000"))
	p := Process{Args: []string{"nothing"}, Env: []string{"PATH=/bin"}}
	var start *StartError
	if _, err := Exec(context.Background(), sb.Pid(), p, Stdio{}); !errors.As(err, &start) || start.Code != 127 {
		t.Errorf("not found: %v", err)
	}
	if _, err := Exec(context.Background(), os.Getpid(), p, Stdio{}); err == nil || !strings.Contains(err.Error(), "in no sandbox") {
		t.Errorf("not a sandbox: %v", err)
	}
	if err := sb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Exec(context.Background(), sb.Pid(), p, Stdio{}); !errors.As(err, &start) || start.Code != 125 {
		t.Errorf("gone: %v", err)
	}
}

// TestExecDiesWithTheSandbox: the end of process 1 is the end of all.
func TestExecDiesWithTheSandbox(t *testing.T) {
	sb := running(t, testSpec(t, "sleep", "1000"))
	more, err := Exec(context.Background(), sb.Pid(), Process{Args: []string{"/bin/sleep", "1000"}}, Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.Kill(); err != nil {
		t.Fatal(err)
	}
	if status, err := more.Wait(); err != nil || status.Signal != int(unix.SIGKILL) {
		t.Errorf("%+v, %v", status, err)
	}
	if err := more.Close(); err != nil {
		t.Error(err)
	}
}

func TestTerminal(t *testing.T) {
	s := testSpec(t, "sh", "-c", "tty; test -t 0 && stty size; ls -l /dev/console | cut -c1; echo x >/dev/tty; read line; echo got $line")
	s.Process.TTY = true
	sb := running(t, s)
	out := talk(t, sb, "hello\n", "got hello")
	for _, want := range []string{"/dev/pts/0\r\n", "c\r\n", "x\r\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}

// talk writes to a terminal and reads from it until a word comes.
func talk(t testing.TB, sb *Sandbox, say, until string) string {
	t.Helper()
	if sb.Console == nil {
		t.Fatal("no console")
	}
	if err := sb.Resize(33, 99); err != nil {
		t.Error(err)
	}
	if err := sb.Console.SetDeadline(time.Now().Add(testPatience)); err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Console.WriteString(say); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	lines := bufio.NewReader(sb.Console)
	for !strings.Contains(all.String(), until) {
		line, err := lines.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("%v after %q", err, all.String())
		}
	}
	return all.String()
}

func TestExecTerminal(t *testing.T) {
	sb := running(t, testSpec(t, "sleep", "1000"))
	p := Process{Args: []string{"sh", "-c", "read line; tty; stty size; ps -o pid,tty >/dev/null; echo got $line"}, Env: []string{"PATH=/bin"}, TTY: true}
	more, err := Exec(context.Background(), sb.Pid(), p, Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	out := talk(t, more, "hello\n", "got hello")
	if !strings.Contains(out, "/dev/pts/0\r\n33 99\r\n") {
		t.Errorf("%q", out)
	}
}

// checkInit looks from outside at what init holds, and how much it weighs.
func checkInit(t *testing.T, pid int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	fds, err := os.ReadDir(dir + "fd")
	if err != nil && os.Geteuid() != 0 {
		return // it is hidden from other users
	}
	if err != nil {
		t.Error(err)
	}
	for _, fd := range fds {
		link, err := os.Readlink(dir + "fd/" + fd.Name())
		if err == nil && link != "/dev/null" && !strings.HasPrefix(link, "anon_inode:") {
			t.Errorf("init holds %s", link)
		}
	}
	text, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 && kib > 12<<10 && !raceEnabled {
			t.Errorf("init weighs %d KiB of its own", kib)
		}
	}
}

// awaitOrphans waits until the program, whose number is in a file, is the only child of
// process 1: all others who came to it have ended and were reaped (proc_pid_stat(5)).
const awaitOrphans = `
until read program 2>/dev/null </tmp/ready && [ -n "$program" ]; do sleep 0.01; done
orphans() {
	for p in /proc/[0-9]*; do
		stat=$(cat $p/stat 2>/dev/null) || continue
		set -- ${stat##*) }
		[ "$2" = 1 ] && [ $p != /proc/$program ] && echo "${stat%% *} ($1)"
	done
}
for i in $(seq 1000); do
	left=$(orphans)
	[ -z "$left" ] && exit 0
	sleep 0.01
done
echo $left
exit 1`

// awaitFile waits for a file that the program of a sandbox makes.
func awaitFile(t testing.TB, s Spec, name string) {
	t.Helper()
	if !eventually(func() bool { _, err := os.Stat(filepath.Join(s.RootPath, name)); return err == nil }) {
		t.Fatalf("the program never made %s", name)
	}
}

// TestInit: the program is the child of a process 1 that reaps, hands signals
// on, and is nothing that others could use.
func TestInit(t *testing.T) {
	s := testSpec(t, "sh", "-c", `trap 'echo term; exit 9' TERM; (sleep 0.01 & ) ; echo $$; echo ready; echo $$ >/tmp/ready; while :; do sleep 0.05; done`)
	s.Init = true
	output := collect(t, &s.Stdio)
	leak, err := unix.Open("/etc", unix.O_RDONLY|unix.O_DIRECTORY, 0) // no O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	sb := running(t, s)
	checkInit(t, sb.Pid())
	if out, status := in(t, sb, awaitOrphans); status.Code != 0 {
		t.Errorf("an orphan isn't reaped: %+v, %q", status, out)
	}
	out, _ := in(t, sb, `grep -E "CapEff|NoNewPrivs" /proc/1/status; cat /proc/1/exe >/dev/null && echo readable`)
	rights := []string{"CapEff:\t0000000000000020\n", "NoNewPrivs:\t1\n"}
	if raceEnabled {
		rights = nil // no system call for all threads where C is linked in (syscall.AllThreadsSyscall)
	}
	for _, want := range rights {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
	if strings.Contains(out, "readable") {
		t.Errorf("init's program can be read: %q", out)
	}
	if err := sb.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	status, err := sb.Wait()
	if err != nil || status.Code != 9 {
		t.Errorf("%+v, %v", status, err)
	}
	out = output()
	if !strings.HasSuffix(out, "ready\nterm\n") || strings.HasPrefix(out, "1\n") {
		t.Errorf("%q", out)
	}
}

func TestInitExecuteErrors(t *testing.T) {
	s := testSpec(t, "nothing")
	s.Init = true
	var start *StartError
	if _, _, err := tryRun(t, s); !errors.As(err, &start) || start.Code != 127 {
		t.Errorf("%v", err)
	}
	s.Process.Args = []string{"sh", "-c", "exit 5"}
	if _, status := run(t, s); status.Code != 5 {
		t.Errorf("%+v", status)
	}
	s.Process.Args = []string{"sh", "-c", "kill -9 $$"}
	if _, status := run(t, s); status.Code != 137 {
		t.Errorf("%+v", status)
	}
}
