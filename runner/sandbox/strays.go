package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// strays finds the processes of a sandbox that has the pid namespace of others, and
// no control group, as an ordinary user's has none on many machines. They are those
// in its mount namespace. The open file keeps its number from being given to another
// one.
type strays struct {
	namespace *os.File
	name      string // as ns/mnt of proc_pid_ns(5) has it
}

// straysOf is for a sandbox whose process is there. It mustn't be this one's own
// namespace.
func straysOf(pid int) (*strays, error) {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns/mnt"))
	if err != nil {
		return nil, err
	}
	name, err := os.Readlink(f.Name())
	own, oerr := os.Readlink("/proc/self/ns/mnt")
	if err != nil || oerr != nil || name == own {
		f.Close()
		return nil, fmt.Errorf("process %d has no mount namespace of its own (%s, %v, %v)", pid, name, err, oerr)
	}
	return &strays{f, name}, nil
}

// kill ends them all. They may fork while they are looked for.
func (s *strays) kill() error {
	for end := time.Now().Add(groupPatience); ; time.Sleep(groupPause) {
		left := s.killOnce()
		if left == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d processes of the sandbox go on: waited %v for their end", left, groupPatience)
		}
	}
}

func (s *strays) killOnce() (found int) {
	entries, _ := os.ReadDir("/proc") // what can't be read there has ended
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if name, err := os.Readlink(filepath.Join("/proc", e.Name(), "ns/mnt")); err == nil && name == s.name {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended by itself
			found++
		}
	}
	return found
}

func (s *strays) close() { s.namespace.Close() }
