package runner

import (
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
	if m.c.Spec.NetMode == "private" {
		s.ReceivedBytes, s.SentBytes = trafficOf(readText(fmt.Sprintf("/proc/%d/net/dev", m.box.Pid())))
	}
	return valueOf(s)
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
