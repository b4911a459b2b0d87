package layertar

import (
	"errors"
	"fmt"
	"strings"
)

// What Linux takes: NAME_MAX, and PATH_MAX less the NUL. A longer path can be
// made through directory handles, but nobody could open it.
const (
	nameMax = 255
	pathMax = 4095
)

// cleanName turns the name of an entry into a path relative to the tree, "" for
// the root itself: absolute names count from the root, as in every unpacker. A
// name with ".." is refused: no honest archiver writes one.
func cleanName(name string) (string, error) {
	if name == "" {
		return "", errors.New("it has no name")
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", errors.New("its name has a NUL byte")
	}
	clean := true
	for rest, more := name, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		switch {
		case part == "..":
			return "", errors.New(`its name has "..", which could lead out of the tree`)
		case part == "" || part == ".":
			clean = false
		case len(part) > nameMax:
			return "", fmt.Errorf("its name has a part of %d bytes: %d are the most", len(part), nameMax)
		}
	}
	if !clean {
		name = joinParts(name)
	}
	if len(name) > pathMax {
		return "", fmt.Errorf("its name has %d bytes: %d are the most", len(name), pathMax)
	}
	return name, nil
}

// joinParts leaves out what says nothing: "", "." and slashes at the end.
func joinParts(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(part)
	}
	return b.String()
}

// splitPath cuts a clean path into its directory, "" for the root, and its
// last name.
func splitPath(path string) (dir, name string) {
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func firstName(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}
