package runner

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ProcessRow is one process of a container, by the machine's numbers.
type ProcessRow struct {
	PID     int           `json:"pid"`
	PPID    int           `json:"ppid"`
	UID     string        `json:"uid"`
	CPU     time.Duration `json:"cpuNanos"`
	Command string        `json:"command"`
}

// Top lists the processes of a running container.
func (r *Runner) Top(ctx context.Context, c *Container) ([]ProcessRow, error) {
	var rows []ProcessRow
	err := r.ask(ctx, c, request{Op: "top"}, &rows)
	return rows, err
}

func (m *monitor) topClient(*framed, *request) (answer, error) {
	dirs, err := processesOf(m.box.Pid())
	if err != nil {
		return answer{}, err
	}
	rows := []ProcessRow{}
	for pid, dir := range dirs {
		if row, ok := readProcess(dir, pid); ok {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b ProcessRow) int { return a.PID - b.PID })
	return valueOf(rows)
}

// processesOf finds the processes of a container by one of them: all that are in its
// pid namespace, or, where that is the one of this process too, in its mount
// namespace. It answers their folders in /proc.
func processesOf(pid int) (map[int]string, error) {
	kind := "ns/pid"
	ns, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), kind))
	if err != nil {
		return nil, err
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err == nil && own == ns {
		kind = "ns/mnt"
		if ns, err = os.Readlink(filepath.Join("/proc", strconv.Itoa(pid), kind)); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		if of, err := os.Readlink(filepath.Join(dir, kind)); err == nil && of == ns {
			found[pid] = dir
		}
	}
	return found, nil
}

// readProcess reads proc_pid_stat(5), proc_pid_status(5) and the command line;
// ok is false for a process that has gone.
func readProcess(dir string, pid int) (ProcessRow, bool) {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return ProcessRow{}, false
	}
	// The name in parentheses may hold anything, also parentheses.
	end := strings.LastIndexByte(string(stat), ')')
	start := strings.IndexByte(string(stat), '(')
	if start < 0 || end < start {
		return ProcessRow{}, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 13 {
		return ProcessRow{}, false
	}
	row := ProcessRow{PID: pid, Command: "[" + string(stat[start+1:end]) + "]"}
	row.PPID, _ = strconv.Atoi(fields[1])
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	row.CPU = time.Duration(user+system) * time.Second / clockTicks
	if line := strings.TrimSpace(strings.ReplaceAll(readText(dir+"/cmdline"), "\x00", " ")); line != "" {
		row.Command = line
	}
	for line := range strings.Lines(readText(dir + "/status")) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			row.UID = strings.Fields(ids)[1] // the effective one
		}
	}
	return row, true
}

// clockTicks is USER_HZ, which is 100 on all machines that Go knows.
const clockTicks = 100
