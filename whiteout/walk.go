package whiteout

import (
	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// found is a mark as it stands in a layer's directory.
type found struct {
	class Class
	entry string // the directory entry
	of    string // what it hides
	dtype uint8
}

// walk visits every directory of the layer rootfd, parents first. One path is
// kept for each directory still to come, and one descriptor in all.
func walk(rootfd int, visit func(dirfd int, m DirMarks, entries []found) error) error {
	paths := []string{""}
	for len(paths) > 0 {
		path := paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		below, err := visitDir(rootfd, path, visit)
		if err != nil {
			return err
		}
		for _, name := range below {
			if path != "" {
				name = path + "/" + name
			}
			paths = append(paths, name)
		}
	}
	return nil
}

// visitDir shows one directory to visit and answers those below it.
func visitDir(rootfd int, path string, visit func(int, DirMarks, []found) error) (below []string, err error) {
	fd, err := hostfs.OpenDir(rootfd, path)
	if err != nil {
		return nil, err
	}
	defer hostfs.Close(fd)
	m, err := ReadDirMarks(fd, "")
	if err != nil {
		return nil, err
	}
	var entries []found
	err = hostfs.ListDir(fd, "", func(name []byte, _ uint64, dtype uint8) error {
		if dtype == unix.DT_DIR {
			below = append(below, string(name))
			return nil
		}
		class, of, err := Classify(fd, m, name, dtype)
		if err == nil && class != Plain {
			entries = append(entries, found{class, string(name), string(of), dtype})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return below, visit(fd, m, entries)
}

// format tells which form a whiteout has.
func (f found) format() Format {
	switch {
	case f.dtype == unix.DT_CHR:
		return FormatOverlay
	case f.entry == f.of:
		return FormatXattr
	}
	return FormatAufs
}
