package layertar

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// explain adds to a bare error which file it is about.
func (j *job) explain(err error) error {
	path := joinPath(j.dir.path(), j.name)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fmt.Errorf("unpacking %q: %w", path, err)
	}
	return fmt.Errorf("%q in the archive: %w", path, err)
}

// explainOwner says why an owner can't be given, and what helps.
func (d *disk) explainOwner(a *attrs, err error) error {
	switch {
	case err == unix.EINVAL && d.inUserNS:
		// chown(2) in a user namespace: the id has no mapping.
		if !mapped("/proc/self/uid_map", a.uid) {
			return fmt.Errorf("its owner, uid %d, has no mapping in this user namespace: give the user a larger range in /etc/subuid, or use a store of one id", a.uid)
		}
		return fmt.Errorf("its group, gid %d, has no mapping in this user namespace: give the user a larger range in /etc/subgid, or use a store of one id", a.gid)
	case err == unix.EPERM:
		return fmt.Errorf("giving it to %d:%d takes root, or a user namespace with these ids (/etc/subuid), or a store of one id: %w", a.uid, a.gid, err)
	}
	return err
}

// mapped looks for an id in a map of this user namespace (user_namespaces(7)).
func mapped(file string, id uint32) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var first, host, count uint64
		if n, err := fmt.Sscan(strings.TrimSpace(lines.Text()), &first, &host, &count); n == 3 && err == nil &&
			uint64(id) >= first && uint64(id)-first < count {
			return true
		}
	}
	return false
}
