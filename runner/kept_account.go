package runner

import (
	"cmp"
	"fmt"
	osuser "os/user"
	"regexp"
	"strconv"
	"strings"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"
)

// Who has the same number in the container as outside (--userns=keep-id) is seldom
// among its accounts, and much refuses to work for nobody: ssh, initdb, whoami. So the
// container gets an account for that number, as podman's do. It is written to its
// files, not mounted over them: useradd replaces those.

// keptAccount is what is added to the container's passwd and group, with nothing for
// what is there.
func (a Accounts) keptAccount(name string, uid, gid uint32, home string) (passwd, group string) {
	users, err := user.ParsePasswdFilter(a.passwd(), func(u user.User) bool { return u.Uid == int(uid) })
	if a.Passwd == "" || err != nil || len(users) > 0 {
		return "", ""
	}
	if taken, err := user.ParsePasswdFilter(a.passwd(), func(u user.User) bool { return u.Name == name }); err != nil || len(taken) > 0 {
		name = fmt.Sprintf("user%d", uid)
	}
	passwd = fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", name, uid, gid, home)
	known, err := user.ParseGroupFilter(a.group(), func(g user.Group) bool { return g.Gid == int(gid) || g.Name == name })
	if a.Group != "" && err == nil && len(known) == 0 {
		group = fmt.Sprintf("%s:x:%d:\n", name, gid)
	}
	return passwd, group
}

// addKeptAccount adds it to the files of the container's root. A directory that is run
// as it is stays as it is.
func (m *monitor) addKeptAccount(root int, home string) error {
	kept, ok := m.c.Spec.keptUser(m.facts)
	if !ok || m.c.inPlace() {
		return nil
	}
	id, err := m.acct.resolve(kept, nil)
	if err != nil {
		return err
	}
	passwd, group := m.acct.keptAccount(nameHere(m.facts.CallerUID), id.uid, id.gid, cmp.Or(home, "/"))
	for _, add := range []struct {
		file, line string
		to         *string
	}{{"etc/passwd", passwd, &m.acct.Passwd}, {"etc/group", group, &m.acct.Group}} {
		if add.line == "" {
			continue
		}
		if !strings.HasSuffix(*add.to, "\n") {
			add.line = "\n" + add.line
		}
		if err := appendIn(root, add.file, add.line); err != nil {
			return fmt.Errorf("an account for %s can't be added to %s: %w", kept, add.file, err)
		}
		*add.to += add.line
	}
	return nil
}

// accountName is what useradd(8) takes for a name.
var accountName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,30}$`)

// nameHere is what this machine calls a user.
func nameHere(uid int) string {
	u, err := osuser.LookupId(strconv.Itoa(uid))
	if err != nil || !accountName.MatchString(u.Username) {
		return fmt.Sprintf("user%d", uid)
	}
	return u.Username
}

// appendIn adds to a file that is there. See readIn.
func appendIn(root int, path, text string) error {
	fd, err := openBelow(root, path, unix.O_WRONLY|unix.O_APPEND|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = bareFile(fd).Write([]byte(text))
	return err
}
