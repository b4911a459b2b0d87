package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// layerWorkloads ask much of the number of layers.
func layerWorkloads() []Workload {
	find := func(b *Bed) error { return b.tool("find", b.root, "-ls") }
	return []Workload{
		{Name: "absent", What: "names that don't exist, asked once each, under many layers",
			lowers: []string{"layers", "base"}, before: warmLowers, run: askAbsent},
		{Name: "find-layers", What: "find -ls right after the mount of many layers",
			lowers: []string{"layers", "base"}, before: warmLowers, run: find},
		{Name: "mount-1", What: "a mount of one layer to its first answer", mounts: true, before: warmLowers, run: mountAndAsk},
		{Name: "mount-many", What: "a mount of very many layers to its first answer",
			lowers: []string{"many", "base"}, mounts: true, before: warmLowers, run: mountAndAsk},
	}
}

// askAbsent asks in every directory for names of its own, until there were
// enough: no answer can be one that was given before.
func askAbsent(b *Bed) error {
	dirs, err := directories(b.lowers[len(b.lowers)-1])
	if err != nil {
		return err
	}
	var st unix.Stat_t
	for i := range b.size("absent") {
		path := b.path(dirs[i%len(dirs)], fmt.Sprintf("absent-%d", i))
		if err := unix.Lstat(path, &st); !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("lstat %s: %v instead of ENOENT", path, err)
		}
	}
	return nil
}

// directories are those below dir, relative to it.
func directories(dir string) (dirs []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path[len(dir):])
		}
		return err
	})
	return dirs, err
}

func mountAndAsk(b *Bed) error {
	if err := b.mount(); err != nil {
		return err
	}
	return unix.Lstat(b.path("etc"), new(unix.Stat_t))
}
