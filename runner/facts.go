package runner

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// Facts is what a plan has to know of this machine and of who is asking.
type Facts struct {
	// InitialUserNS says that ids are the machine's own: root is root.
	InitialUserNS bool
	// SingleID says that no id but 0 can be had in the user namespace.
	SingleID bool
	// NewUserNS says that this process isn't root of any namespace, so that
	// the sandbox needs a user namespace of its own.
	NewUserNS bool
	UID, GID  int

	// IDs are those of this process's user namespace, as its parent has them,
	// and CallerUID and CallerGID who is 0 in it.
	IDs                  sandbox.IDMaps
	CallerUID, CallerGID int

	// Capabilities are those that this process has.
	Capabilities uint64
	// ResolvConf and Hosts are the machine's files.
	ResolvConf, Hosts string
	// CgroupV2 says that /sys/fs/cgroup is the unified hierarchy.
	CgroupV2 bool
	// Seccomp says that the kernel knows filters.
	Seccomp bool
}

// Look finds the facts.
func Look() Facts {
	f := Facts{UID: os.Geteuid(), GID: os.Getegid()}
	f.NewUserNS = f.UID != 0
	f.InitialUserNS, f.SingleID = readMaps()
	if f.NewUserNS {
		f.InitialUserNS, f.SingleID = false, true
	}
	f.IDs = sandbox.IDMaps{UIDs: readMap("/proc/self/uid_map"), GIDs: readMap("/proc/self/gid_map")}
	f.CallerUID, f.CallerGID = callerOf(f.IDs.UIDs), callerOf(f.IDs.GIDs)
	f.Capabilities = effectiveCapabilities()
	f.ResolvConf = readText("/etc/resolv.conf")
	f.Hosts = readText("/etc/hosts")
	var st unix.Statfs_t
	f.CgroupV2 = unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	_, err := os.Stat("/proc/sys/kernel/seccomp/actions_avail")
	f.Seccomp = err == nil
	return f
}

// readMaps reads /proc/self/uid_map (user_namespaces(7)).
func readMaps() (initial, single bool) {
	text := strings.Fields(readText("/proc/self/uid_map"))
	switch {
	case len(text) == 0, len(text) == 3 && text[2] == "4294967295":
		return true, false
	case len(text) == 3 && text[2] == "1":
		return false, true
	}
	return false, false
}

// readMap reads a file of user_namespaces(7).
func readMap(path string) (out []sandbox.IDRange) {
	for line := range strings.Lines(readText(path)) {
		var r sandbox.IDRange
		if n, err := fmt.Sscan(line, &r.Inside, &r.Host, &r.Count); n == 3 && err == nil {
			out = append(out, r)
		}
	}
	return out
}

// callerOf is who is 0.
func callerOf(ranges []sandbox.IDRange) int {
	id, _ := outsideID(ranges, 0)
	return int(id)
}

func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "" // as good as empty
	}
	return string(text)
}

func effectiveCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}
