package bench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// smallWorkloads make many small files, the way programs do.
func smallWorkloads() []Workload {
	return []Workload{
		{Name: "small-parallel", What: "small files by several processes: create, stat, rename, unlink", writes: true, run: smallParallel},
		{Name: "npm", What: "a module tree: packages unpacked beside, renamed into place, some nested, with links to their programs",
			writes: true, run: installModules},
	}
}

// smallParallel starts processes and not threads: those would share a
// descriptor table and a working directory.
func smallParallel(b *Bed) error {
	var cmds []*exec.Cmd
	var errs []error
	for i := range b.size("processes") {
		dir := b.path("parallel" + strconv.Itoa(i))
		cmd := b.command(append(b.self, "small", dir, strconv.Itoa(b.size("parallel")))...)
		if err := cmd.Start(); err != nil {
			errs = append(errs, err)
			break
		}
		cmds = append(cmds, cmd)
	}
	for _, cmd := range cmds {
		errs = append(errs, cmd.Wait())
	}
	return errors.Join(errs...)
}

// Help is a helper process of a worker: one of those that work in parallel.
func Help(args []string) error {
	if len(args) != 3 || args[0] != "small" {
		return fmt.Errorf("%q isn't what a worker asks its helpers", args)
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	return smallFiles(args[1], n)
}

func smallFiles(dir string, n int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	data := make([]byte, 1000)
	old := func(i int) string { return filepath.Join(dir, "f"+strconv.Itoa(i)) }
	renamed := func(i int) string { return filepath.Join(dir, "g"+strconv.Itoa(i)) }
	steps := []func(i int) error{
		func(i int) error { return os.WriteFile(old(i), data, 0o644) },
		func(i int) error { return unix.Lstat(old(i), new(unix.Stat_t)) },
		func(i int) error { return unix.Rename(old(i), renamed(i)) },
		func(i int) error { return unix.Unlink(renamed(i)) },
	}
	for _, step := range steps {
		for i := range n {
			if err := step(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// installModules does what package managers of scripting languages do: each
// package is unpacked under a name of its own and renamed into place.
func installModules(b *Bed) error {
	root := b.path("node_modules")
	for _, dir := range []string{root, filepath.Join(root, ".staging"), filepath.Join(root, ".bin")} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	for i := range b.size("npm") {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		if err := installModule(root, i); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(root, ".staging"))
}

func installModule(root string, i int) error {
	name := fmt.Sprintf("package-%d", i)
	staged := filepath.Join(root, ".staging", name+"-f3a9")
	if err := unpackModule(staged, i); err != nil {
		return err
	}
	home := root
	if i%4 == 3 { // a version of its own, below the package that wants it
		home = filepath.Join(root, fmt.Sprintf("package-%d", i-1), "node_modules")
		if err := os.MkdirAll(home, 0o755); err != nil {
			return err
		}
	}
	final := filepath.Join(home, name)
	if err := os.Rename(staged, final); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Join(root, ".bin"), filepath.Join(final, "cli.js"))
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(root, ".bin", name))
}

// unpackModule writes some thirty files of 0.2 to 8 KB, up to six deep.
func unpackModule(dir string, i int) error {
	data := make([]byte, 8<<10)
	dirs := []string{"", "lib", "lib/internal", "lib/internal/streams", "dist", "dist/esm/types", "test"}
	for d, sub := range dirs {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
		for f := range 4 {
			path := filepath.Join(dir, sub, fmt.Sprintf("module%d.js", f))
			if err := os.WriteFile(path, data[:200+(i*37+d*11+f*7)*131%7800], 0o644); err != nil {
				return err
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "package.json"), data[:600], 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "cli.js"), data[:300], 0o644); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(dir, "cli.js"), 0o755)
}
