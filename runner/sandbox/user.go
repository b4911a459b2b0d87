package sandbox

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func userSteps(p *Process) []Step {
	return []Step{program("user", fmt.Sprintf("uid %d, gid %d, groups %v, umask %03o", p.UID, p.GID, p.Groups, p.umask()), func(in *inside) ([]call, error) {
		return userCalls(p)
	})}
}

func (p *Process) umask() uint32 {
	if p.Umask == nil {
		return 0o022
	}
	return *p.Umask
}

// userCalls keep the permitted capabilities over the change of ids: the filter
// comes after it.
func userCalls(p *Process) ([]call, error) {
	calls := []call{
		newCall("umask", unix.SYS_UMASK, uintptr(p.umask())),
		newCall("keep capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1),
	}
	groups, err := groupCalls(p)
	if err != nil {
		return nil, err
	}
	calls = append(calls, groups...)
	gid, uid := uintptr(p.GID), uintptr(p.UID)
	return append(calls,
		newCall(fmt.Sprintf("become group %d (is it mapped in the user namespace?)", gid), unix.SYS_SETRESGID, gid, gid, gid),
		newCall(fmt.Sprintf("become user %d (is it mapped in the user namespace?)", uid), unix.SYS_SETRESUID, uid, uid, uid),
		capsetCall(),
	), nil
}

// groupCalls set the supplementary groups. Where the namespace has setgroups(2)
// denied the caller's groups stay, which is what the kernel is after; asking
// for groups there is an error.
func groupCalls(p *Process) ([]call, error) {
	if setgroupsDenied() {
		if len(p.Groups) > 0 {
			return nil, fmt.Errorf("supplementary groups %v can't be had: this user namespace has but one group, and setgroups(2) is denied in it (a range in /etc/subgid and newgidmap would help)", p.Groups)
		}
		return nil, nil
	}
	groups := append([]uint32{}, p.Groups...)
	var first uintptr
	if len(groups) > 0 {
		first = pointer(&groups[0])
	}
	return []call{newCall("set the supplementary groups", unix.SYS_SETGROUPS, uintptr(len(groups)), first).keeping(groups)}, nil
}

// setgroupsDenied asks the kernel for the groups that are there already; what
// /proc says could be the sandbox's word. Raw calls are for this thread alone.
func setgroupsDenied() bool {
	var groups [1 << 16]uint32 // NGROUPS_MAX
	n, _, errno := unix.RawSyscall(unix.SYS_GETGROUPS, uintptr(len(groups)), pointer(&groups[0]), 0)
	if errno != 0 {
		return true
	}
	_, _, errno = unix.RawSyscall(unix.SYS_SETGROUPS, n, pointer(&groups[0]), 0)
	// Without the capability it isn't the namespace that denies: then the call
	// is made, and fails, instead of leaving the caller's groups.
	return errno == unix.EPERM && hasCapability(unix.CAP_SETGID)
}
