package fstest

import (
	"fmt"
	"strings"
	"time"
)

// SnapshotOptions switch fields of a snapshot off (or, where they say so, on).
// The zero value compares everything that every POSIX file system keeps.
type SnapshotOptions struct {
	NoMtime    bool
	NoDirMtime bool // modification times of directories alone
	NoNlink    bool
	DirNlink   bool // also the link counts of directories
	NoXattrs   bool
	NoIDs      bool
	NoLinks    bool // which names are one inode
	Private    bool // also the overlay's own xattrs: for raw layers

	// Since, when set, prints modification times after it (up to an hour
	// past the present) as "now".
	Since time.Time
}

// Snapshot describes the tree below root, one canonical line per object,
// ordered by path. Equal trees give equal snapshots.
func Snapshot(root string, o SnapshotOptions) ([]string, error) {
	objects, err := scan(root, o, false)
	if err != nil {
		return nil, err
	}
	return lines(objects, o), nil
}

// Diff is the lines that only a has, marked -, and those that only b has,
// marked +, by path; empty when the snapshots are equal.
func Diff(a, b []string) string {
	var out strings.Builder
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i++
			j++
		case j == len(b) || (i < len(a) && pathOf(a[i]) <= pathOf(b[j])):
			fmt.Fprintf(&out, "- %s\n", a[i])
			i++
		default:
			fmt.Fprintf(&out, "+ %s\n", b[j])
			j++
		}
	}
	return out.String()
}

func pathOf(line string) string {
	path, _, _ := strings.Cut(line, " ")
	if plain, err := Unescape(path); err == nil {
		return plain
	}
	return path
}
