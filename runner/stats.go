package runner

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"unionfs/runner/sandbox"
)

// Stats is what a running container uses.
type Stats struct {
	sandbox.Stats
	// What came and went over the container's own network, loopback left out; 0
	// where it has none.
	ReceivedBytes int64 `json:"receivedBytes"`
	SentBytes     int64 `json:"sentBytes"`
	// At is when, to make rates of two.
	At time.Time `json:"at"`
}

// Stats asks the container's monitor.
func (r *Runner) Stats(ctx context.Context, c *Container) (Stats, error) {
	var s Stats
	err := r.ask(ctx, c, request{Op: "stats"}, &s)
	return s, err
}

func (m *monitor) statsClient(*framed, *request) (answer, error) {
	s := Stats{Stats: m.box.Stats(), At: time.Now().UTC()}
	if err := s.count(m.box.Pid()); err != nil {
		return answer{}, err
	}
	if m.c.Spec.NetMode == "private" {
		s.ReceivedBytes, s.SentBytes = trafficOf(readText(fmt.Sprintf("/proc/%d/net/dev", m.box.Pid())))
	}
	return valueOf(s)
}

// count adds up over a container's processes what no cgroup tells: an ordinary user
// has none on many machines. Processes that have ended count where their parents,
// which have waited for them, go on.
func (s *Stats) count(pid int) error {
	if s.PIDs > 0 && s.MemoryBytes > 0 && s.CPUNanos > 0 {
		return nil
	}
	dirs, err := processesOf(pid)
	if err != nil {
		return err
	}
	var memory, cpu int64
	for _, dir := range dirs {
		memory += residentIn(readText(dir + "/smaps_rollup"))
		cpu += processorTime(readText(dir + "/stat"))
	}
	s.PIDs = cmp.Or(s.PIDs, int64(len(dirs)))
	s.MemoryBytes, s.CPUNanos = cmp.Or(s.MemoryBytes, memory), cmp.Or(s.CPUNanos, cpu)
	return nil
}

// residentIn reads proc_pid_smaps(5): a process's memory, and its part of what it
// shares.
func residentIn(text string) (bytes int64) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}

// processorTime reads proc_pid_stat(5): fields 14 to 17, of a process and of the
// children that it has waited for.
func processorTime(text string) (nanos int64) {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return 0
	}
	for _, field := range fields[11:15] {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		nanos += ticks * int64(time.Second/clockTicks)
	}
	return nanos
}

// trafficOf sums up the interfaces of a text as proc_pid_net(5) has it: a name, and
// behind it what came (eight numbers, bytes first) and what went.
func trafficOf(text string) (received, sent int64) {
	for line := range strings.Lines(text) {
		name, counts, ok := strings.Cut(line, ":")
		fields := strings.Fields(counts)
		if !ok || strings.TrimSpace(name) == "lo" || len(fields) < 9 {
			continue
		}
		in, _ := strconv.ParseInt(fields[0], 10, 64)
		out, _ := strconv.ParseInt(fields[8], 10, 64)
		received, sent = received+in, sent+out
	}
	return received, sent
}
