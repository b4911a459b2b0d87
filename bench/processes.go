package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of those whose parent ends.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// stat are the fields of /proc/PID/stat from the state on: the name before
// them may hold spaces.
func stat(pid string) []string {
	data, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return nil // it ended
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
}

// descendants are the processes below this one. Zombies are taken away.
func descendants() (pids []int) {
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if fields := stat(entry.Name()); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			if fields[0] == "Z" && parent == os.Getpid() {
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // os/exec reaps its own by itself
				continue
			}
			children[parent] = append(children[parent], pid)
		}
	}
	for next := []int{os.Getpid()}; len(next) > 0; next = next[1:] {
		pids = append(pids, children[next[0]]...)
		next = append(next, children[next[0]]...)
	}
	return pids
}

func without(pids, others []int) []int {
	return slices.DeleteFunc(pids, func(pid int) bool { return slices.Contains(others, pid) })
}

// kill ends processes that are ours and takes them away.
func kill(pids []int) {
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // it may have ended meanwhile
	}
	gone(pids, 10*time.Second)
}

// gone waits until none of the processes is there any more.
func gone(pids []int, patience time.Duration) bool {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		alive := descendants()
		if !slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(alive, pid) }) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// ticks is the kernel's USER_HZ, the same on all architectures that Go has.
const ticks = 100

// cpuSeconds is user and system time of a process (fields 14 and 15 of
// proc(5)).
func cpuSeconds(pid int) float64 {
	fields := stat(strconv.Itoa(pid))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticks
}

// residentBytes is field 24 of proc(5), in pages there.
func residentBytes(pid int) int64 {
	fields := stat(strconv.Itoa(pid))
	if len(fields) < 22 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[21], 10, 64)
	return pages * int64(os.Getpagesize())
}
