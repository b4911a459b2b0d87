package sandbox

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// String is the maps as people read them: inside=host+count.
func (m IDMaps) String() string {
	return "uids " + rangesText(m.UIDs) + "; gids " + rangesText(m.GIDs)
}

func rangesText(ranges []IDRange) string {
	var words []string
	for _, r := range ranges {
		words = append(words, fmt.Sprintf("%d=%d+%d", r.Inside, r.Host, r.Count))
	}
	return strings.Join(words, ",")
}

// table is a map in the form of /proc/PID/uid_map.
func table(ranges []IDRange) string {
	var b strings.Builder
	for _, r := range ranges {
		fmt.Fprintf(&b, "%d %d %d\n", r.Inside, r.Host, r.Count)
	}
	return b.String()
}

// set writes the maps of a process' new user namespace: by itself where the
// kernel lets it, which is with CAP_SETUID and CAP_SETGID, or for the caller's
// own id alone (user_namespaces(7), "Defining user and group ID mappings");
// and through newuidmap and newgidmap otherwise.
func (m IDMaps) set(pid int) error {
	if len(m.UIDs) == 0 || len(m.GIDs) == 0 {
		return fmt.Errorf("a new user namespace needs maps of user and of group ids")
	}
	proc := fmt.Sprintf("/proc/%d/", pid)
	own := isOwn(m.UIDs, os.Geteuid()) && isOwn(m.GIDs, os.Getegid())
	capable := hasCapability(unix.CAP_SETUID) && hasCapability(unix.CAP_SETGID)
	if !own && !capable {
		return m.write(pid)
	}
	if !capable {
		// Without it the map of groups would be refused: who may drop a group
		// may get past permissions that deny that group something.
		if err := writeFile(proc+"setgroups", "deny"); err != nil {
			return err
		}
	}
	if err := writeFile(proc+"uid_map", table(m.UIDs)); err != nil {
		return mapError("uid_map", m.UIDs, err)
	}
	if err := writeFile(proc+"gid_map", table(m.GIDs)); err != nil {
		return mapError("gid_map", m.GIDs, err)
	}
	return nil
}

func mapError(file string, ranges []IDRange, err error) error {
	return fmt.Errorf("%s %s: %w", file, rangesText(ranges), err)
}

func isOwn(ranges []IDRange, id int) bool {
	return len(ranges) == 1 && ranges[0].Count == 1 && ranges[0].Host == id
}

// writeFile writes in one write(2), as files of /proc want it.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}
