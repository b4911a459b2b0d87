package fstest

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"
)

// privatePrefixes are the names under which overlays keep their own notes on
// layers; they are no part of the tree that users see.
var privatePrefixes = []string{
	"trusted.overlay.", "user.overlay.",
	"user.fuseoverlayfs.", "security.fuseoverlayfs.", "trusted.fuseoverlayfs.",
	"user.containers.override_",
}

func isPrivate(name string) bool {
	for _, prefix := range privatePrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// readXattrs reads all xattrs of path itself. Labels that the host's security
// module puts on everything are left out: they aren't the tree's.
func readXattrs(path string, private bool) (map[string]string, error) {
	names, err := listXattr(path)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range names {
		if name == "security.selinux" || (!private && isPrivate(name)) {
			continue
		}
		value, err := getXattr(path, name)
		if err == unix.ENODATA {
			continue // listed but not ours to read
		}
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	return out, nil
}

func listXattr(path string) ([]string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err == unix.EOPNOTSUPP {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range bytes.Split(buf[:n], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, nil
}

func getXattr(path, name string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(path, name, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
