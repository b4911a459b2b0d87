package sandbox

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpuPeriod is the time, in microseconds, of which a share is given: the
// kernel's own choice, and docker's.
const cpuPeriod = 100_000

// v1Settings are the files of v1's controllers (Documentation/admin-guide/
// cgroup-v1). Their order is the kernel's: memory.memsw may never be below
// memory.
func v1Settings(c Cgroup) (out []setting) {
	number := func(controller, file string, n int64, limit string) {
		out = append(out, setting{controller, file, strconv.FormatInt(n, 10), limit})
	}
	if c.MemoryBytes > 0 {
		number("memory", "memory.limit_in_bytes", c.MemoryBytes, memoryLimit(c))
	}
	if c.MemorySwapBytes > 0 {
		number("memory", "memory.memsw.limit_in_bytes", c.MemorySwapBytes, swapLimit(c))
	}
	if c.CPUs > 0 {
		number("cpu", "cpu.cfs_period_us", cpuPeriod, cpuLimit(c))
		number("cpu", "cpu.cfs_quota_us", cpuQuota(c.CPUs), cpuLimit(c))
	}
	if c.CPUShares > 0 {
		out = append(out, setting{"cpu", "cpu.shares", strconv.FormatUint(c.CPUShares, 10), sharesLimit(c)})
	}
	if c.CpusetCPUs != "" {
		out = append(out, setting{"cpuset", "cpuset.cpus", c.CpusetCPUs, cpusetLimit(c)})
	}
	if c.PIDs > 0 {
		number("pids", "pids.max", c.PIDs, pidsLimit(c))
	}
	return out
}

func cpuQuota(cpus float64) int64 { return int64(math.Round(cpus * cpuPeriod)) }

func memoryLimit(c Cgroup) string { return fmt.Sprintf("memory limit of %d bytes", c.MemoryBytes) }
func swapLimit(c Cgroup) string {
	return fmt.Sprintf("limit of %d bytes for memory and swap", c.MemorySwapBytes)
}
func cpuLimit(c Cgroup) string    { return fmt.Sprintf("limit of %g CPUs", c.CPUs) }
func sharesLimit(c Cgroup) string { return fmt.Sprintf("%d CPU shares", c.CPUShares) }
func cpusetLimit(c Cgroup) string { return fmt.Sprintf("CPU set %s", c.CpusetCPUs) }
func pidsLimit(c Cgroup) string   { return fmt.Sprintf("limit of %d processes", c.PIDs) }

// makeV1 makes the group in each hierarchy that lets it.
func (g *cgroup) makeV1(h *hierarchies, name string) error {
	made := map[string]bool{}
	for controller, p := range h.v1 {
		dir := filepath.Join(p.own, name)
		if !made[dir] {
			err := makeGroup(dir)
			if groupDenied(err) {
				continue
			}
			if err != nil {
				return err
			}
			made[dir] = true
		}
		g.v1[controller] = dir
		if controller == "cpuset" {
			if err := inheritCpuset(p.own, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// groupDenied says that groups can't be made in a place, by this process.
func groupDenied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) ||
		errors.Is(err, unix.ENOENT)
}

// inheritCpuset copies what a new cpuset of v1 lacks: nobody may join one
// without CPUs and memory nodes.
func inheritCpuset(from, to string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if readGroupFile(to, file) != "" {
			continue // cgroup.clone_children
		}
		if err := writeGroupFile(to, file, readGroupFile(from, file)); err != nil {
			return fmt.Errorf("give the cgroup the %s of its parent: %w", file, err)
		}
	}
	return nil
}

// unlimitedV1 is what a limit that isn't set reads as: LONG_MAX in whole pages.
var unlimitedV1 = math.MaxInt64 / int64(os.Getpagesize()) * int64(os.Getpagesize())

func (g *cgroup) addV1Stats(s *Stats) {
	if dir := g.v1["memory"]; dir != "" {
		s.MemoryBytes = used(readGroupNumber(dir, "memory.usage_in_bytes"), readGroupKey(dir, "memory.stat", "total_inactive_file"))
		if limit := readGroupNumber(dir, "memory.limit_in_bytes"); limit < unlimitedV1 {
			s.MemoryLimit = limit
		}
	}
	if dir := g.v1["cpuacct"]; dir != "" {
		s.CPUNanos = readGroupNumber(dir, "cpuacct.usage")
	}
	if dir := g.v1["pids"]; dir != "" {
		s.PIDs = readGroupNumber(dir, "pids.current")
	}
	if dir := g.v1["blkio"]; dir != "" {
		s.ReadBytes, s.WrittenBytes = blockBytes(readGroupFile(dir, "blkio.throttle.io_service_bytes_recursive"))
	}
}

// blockBytes sums up lines as "8:0 Read 4096", of each disk.
func blockBytes(text string) (read, written int64) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue // the total
		}
		n, err := strconv.ParseInt(fields[2], 10, 64)
		switch {
		case err != nil:
		case fields[1] == "Read":
			read += n
		case fields[1] == "Write":
			written += n
		}
	}
	return read, written
}
