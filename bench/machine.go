package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is where the measures come from.
type Machine struct {
	Kernel       string  `json:"kernel"`
	Architecture string  `json:"architecture"`
	Processor    string  `json:"processor"`
	Processors   int     `json:"processors"`
	MemoryMiB    int64   `json:"memoryMiB"`
	FileSystem   string  `json:"fileSystem"`
	MountOptions string  `json:"mountOptions"`
	User         string  `json:"user"`
	Requests     string  `json:"requests"` // how those of FUSE can travel
	Load         float64 `json:"load"`
}

// machineAt describes this machine and the file system that dir is on.
func machineAt(dir string) Machine {
	var name unix.Utsname
	_ = unix.Uname(&name) // cannot fail with a good address
	m := Machine{
		Kernel:       unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:]),
		Architecture: runtime.GOARCH, Processors: runtime.NumCPU(), Load: loadAverage(), User: userWord(),
		Processor: valueIn("/proc/cpuinfo", "model name"),
	}
	if kib, err := strconv.ParseInt(strings.TrimSuffix(valueIn("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		m.MemoryMiB = kib / 1024
	}
	m.Requests = "over /dev/fuse"
	if on, err := os.ReadFile("/sys/module/fuse/parameters/enable_uring"); err == nil && strings.TrimSpace(string(on)) == "Y" {
		m.Requests = "over io_uring too (enable_uring)"
	}
	m.FileSystem, m.MountOptions = "unknown", "unknown"
	out, err := exec.Command("findmnt", "-n", "-o", "FSTYPE,OPTIONS", "-T", dir).Output()
	if fields := strings.Fields(string(out)); err == nil && len(fields) == 2 {
		m.FileSystem, m.MountOptions = fields[0], fields[1]
	}
	return m
}

// valueIn is the first value of a key in a file of "key : value" lines.
func valueIn(path, key string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for _, line := range strings.Split(string(data), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// loadAverage is that of the last minute.
func loadAverage() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	word, _, _ := strings.Cut(string(data), " ")
	load, _ := strconv.ParseFloat(word, 64)
	return load
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// uidMap is the user namespace's map, as lines of three numbers.
func uidMap() (rows [][]string) {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// realRoot says that this is the root of the initial user namespace.
func realRoot() bool {
	rows := uidMap()
	return os.Geteuid() == 0 && len(rows) == 1 && len(rows[0]) == 3 && rows[0][0] == "0" && rows[0][1] == "0" && rows[0][2] == "4294967295"
}

// singleID says that files can't have more owners than one here.
func singleID() bool {
	if os.Geteuid() != 0 {
		return true
	}
	for _, row := range uidMap() {
		if len(row) != 3 {
			continue
		}
		first, _ := strconv.ParseInt(row[0], 10, 64)
		count, _ := strconv.ParseInt(row[2], 10, 64)
		if first <= 1 && first+count >= 65536 {
			return false
		}
	}
	return true
}

func userWord() string {
	switch {
	case realRoot():
		return "root"
	case os.Geteuid() == 0:
		return "root of a user namespace"
	}
	return fmt.Sprintf("uid %d", os.Geteuid())
}
