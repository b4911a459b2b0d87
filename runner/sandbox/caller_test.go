package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// callerEnv makes the test program a caller that starts the sandbox of a spec,
// says its number and waits.
const callerEnv = "SANDBOX_TEST_CALLER"

func actAsCaller() {
	text := os.Getenv(callerEnv)
	if text == "" {
		return
	}
	var s Spec
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	sb, err := Start(context.Background(), s)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(sb.Pid())
	_, _ = sb.Wait()
	os.Exit(0)
}

func callerKilled(t *testing.T, init bool, uid uint32) {
	s := testSpec(t, "sh", "-c", "sleep 1000 & sleep 1000")
	s.Init, s.Process.UID, s.Process.GID = init, uid, uid
	text, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	caller := exec.Command("/proc/self/exe")
	caller.Env = append(os.Environ(), callerEnv+"="+string(text))
	out, err := caller.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || convErr != nil {
		t.Fatalf("caller: %q, %v", line, err)
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if err := caller.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = caller.Wait()
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(testPatience/time.Millisecond)); err != nil || n != 1 {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		t.Errorf("the sandbox lives on: %v", err)
	}
}
