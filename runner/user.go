package runner

import (
	"fmt"
	"io"

	"strings"

	"github.com/moby/sys/user"
)

// Accounts are the container's own /etc/passwd and /etc/group.
type Accounts struct{ Passwd, Group string }

// identity is as who a program runs.
type identity struct {
	uid, gid uint32
	groups   []uint32
	home     string
	added    []int // of the groups, those that were asked for
}

// resolve finds a user as docker does: NAME|UID[:GROUP|GID], names and further
// groups from the container's own files. A number that isn't there is fine.
func (a Accounts) resolve(who string, further []string) (identity, error) {
	u, err := user.GetExecUser(who, &user.ExecUser{Home: "/"}, a.passwd(), a.group())
	if err != nil {
		return identity{}, fmt.Errorf("user %q: %w (in the container's /etc/passwd and /etc/group)", who, err)
	}
	more, err := user.GetAdditionalGroups(further, a.group())
	if err != nil {
		return identity{}, fmt.Errorf("--group-add: %w (in the container's /etc/group)", err)
	}
	id := identity{uid: uint32(u.Uid), gid: uint32(u.Gid), home: u.Home, added: more}
	seen := map[uint32]bool{}
	for _, g := range append(append([]int{u.Gid}, u.Sgids...), more...) {
		if !seen[uint32(g)] {
			seen[uint32(g)] = true
			id.groups = append(id.groups, uint32(g))
		}
	}
	return id, nil
}

func (a Accounts) passwd() io.Reader { return strings.NewReader(a.Passwd) }
func (a Accounts) group() io.Reader  { return strings.NewReader(a.Group) }
