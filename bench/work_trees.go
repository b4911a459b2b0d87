package bench

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// treeWorkloads walk, read and change whole trees with the tools of everybody.
func treeWorkloads() []Workload {
	find := func(b *Bed) error { return b.tool("find", b.root, "-ls") }
	return []Workload{
		{Name: "find-first", What: "find -ls right after the mount, the lower tree in memory", before: warmLowers, run: find},
		{Name: "find-again", What: "find -ls a second time", warm: find, run: find},
		{Name: "find-cold", What: "find -ls after the caches were dropped", cold: true, run: find},
		{Name: "tar", What: "tar of the whole tree, to a pipe", before: warmLowers, run: tarTree},
		{Name: "untar", What: "tar -x of the root file system's archive into a new directory",
			files: []string{"archive"}, writes: true, before: warmArchive, run: untar},
		{Name: "rm-new", What: "rm -rf of the files that untar made",
			files: []string{"archive"}, writes: true, warm: untar,
			run: func(b *Bed) error { return b.tool("rm", "-rf", b.path("untar")) }},
		{Name: "rm-lower", What: "rm -rf of everything in the lower tree", writes: true, before: warmLowers,
			run: func(b *Bed) error { return b.shell(`rm -rf "$1"/*`, b.root) }},
		{Name: "chown", What: "chown -R of the lower tree", writes: true, before: warmLowers, check: manyIDs,
			run: func(b *Bed) error { return b.tool("chown", "-hR", "12:34", b.root) }},
		{Name: "append-small", What: "one line appended to each of many small lower files",
			writes: true, before: warmLowers, run: appendSmall},
	}
}

func manyIDs(_ []string, oneID bool) string {
	if oneID {
		return "this user has one id and can't give files away"
	}
	return ""
}

// warmLowers reads names, attributes and data of the lower trees, so that all
// targets start with the same in memory.
func warmLowers(b *Bed) error {
	for _, dir := range b.lowers {
		if err := warmTree(dir); err != nil {
			return err
		}
	}
	return nil
}

func warmTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := entry.Info(); err != nil {
			return err
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return readThrough(path)
	})
}

func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	_ = f.Close() // it was only read
	return err
}

// tarTree keeps tar from noticing that nobody reads: it skips the data when
// its output is /dev/null itself.
func tarTree(b *Bed) error {
	return b.shell(`tar -C "$1" -cf - . | cat >/dev/null`, b.root)
}

func warmArchive(b *Bed) error { return readThrough(b.files["archive"]) }

func untar(b *Bed) error {
	if err := os.Mkdir(b.path("untar"), 0o755); err != nil {
		return err
	}
	argv := []string{"tar", "-C", b.path("untar"), "-xf", b.files["archive"]}
	if b.oneID {
		argv = append(argv, "--no-same-owner")
	}
	return b.tool(argv...)
}

func appendSmall(b *Bed) error {
	files, err := b.smallFiles(b.size("append"))
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := appendLine(path); err != nil {
			return err
		}
	}
	return nil
}

// smallFiles are the first n files below 64 KiB of the lowest tree, as
// paths in the mount. They are looked for in the lower tree, so that the mount
// hasn't been asked about them.
func (b *Bed) smallFiles(n int) (paths []string, err error) {
	dir := b.lowers[len(b.lowers)-1]
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Size() < 64<<10 && info.Size() > 0 {
			paths = append(paths, b.root+path[len(dir):])
		}
		if len(paths) == n {
			return fs.SkipAll
		}
		return nil
	})
	return paths, err
}

func appendLine(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte("# appended\n"))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// dropCaches makes the kernel forget what it read.
func dropCaches() error {
	unix.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}
