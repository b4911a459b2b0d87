package runner

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// unifiedBeside is where systemd and others mount cgroups of version 2 beside
// those of version 1: a hybrid hierarchy (systemd's docs/CGROUP_DELEGATION.md).
const unifiedBeside = "/sys/fs/cgroup/unified"

// hideUnified takes version 2 out of a hybrid hierarchy for a runtime that takes
// either version and not both: crun (libcrun/cgroup-utils.c, "hybrid mode"). The
// keeper's mount namespace is its own.
func hideUnified(runtime string) {
	var st unix.Statfs_t
	if !strings.Contains(filepath.Base(runtime), "crun") || unix.Statfs(unifiedBeside, &st) != nil || st.Type != unix.CGROUP2_SUPER_MAGIC {
		return
	}
	// In a user namespace what was mounted outside can be covered alone
	// (mount_namespaces(7)). Where even that fails the runtime says why.
	if unix.Unmount(unifiedBeside, unix.MNT_DETACH) != nil {
		_ = unix.Mount("none", unifiedBeside, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "size=4k")
	}
}
