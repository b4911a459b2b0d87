package sandbox

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/moby/sys/user"
)

// IDRange gives Count ids from Host on the numbers from Inside on.
type IDRange struct{ Inside, Host, Count int }

// IDMaps are what a user namespace knows of ids.
type IDMaps struct{ UIDs, GIDs []IDRange }

// OwnMaps are the ids that this user may have in a user namespace: its own as
// 0, and from 1 on all that root has granted. ok is false when there are none
// beside its own, or no helper that could map them; why says so.
func OwnMaps() (m IDMaps, ok bool, why string) {
	for _, helper := range [...]string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			return m, false, helper + " is not installed (Debian's package uidmap)"
		}
	}
	name := userName()
	uids, err := user.ParseSubIDFileFilter("/etc/subuid", granted(name, os.Getuid()))
	if err != nil || len(uids) == 0 {
		return m, false, grantAdvice("/etc/subuid", name)
	}
	gids, err := user.ParseSubIDFileFilter("/etc/subgid", granted(name, os.Getuid()))
	if err != nil || len(gids) == 0 {
		return m, false, grantAdvice("/etc/subgid", name)
	}
	return IDMaps{UIDs: stack(os.Getuid(), uids), GIDs: stack(os.Getgid(), gids)}, true, ""
}

func grantAdvice(file, name string) string {
	return fmt.Sprintf("%s grants %s no ids (root can: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %s)", file, name, name)
}

// granted finds rows by name or by number: subuid(5) allows both.
func granted(name string, uid int) func(user.SubID) bool {
	return func(row user.SubID) bool { return row.Name == name || row.Name == strconv.Itoa(uid) }
}

// userName reads /etc/passwd; a user that isn't there is its number.
func userName() string {
	if u, err := user.CurrentUser(); err == nil {
		return u.Name
	}
	return strconv.Itoa(os.Getuid())
}

// stack numbers the own id 0 and the ranges from 1 on.
func stack(own int, granted []user.SubID) []IDRange {
	out := []IDRange{{Inside: 0, Host: own, Count: 1}}
	next := 1
	for _, g := range granted {
		out = append(out, IDRange{Inside: next, Host: int(g.SubID), Count: int(g.Count)})
		next += int(g.Count)
	}
	return out
}
