package bench

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Target is a way to show lower trees with a writable top.
type Target struct {
	Name string `json:"name"`
	What string `json:"what"`
	// Version is what the target says of itself.
	Version string `json:"version,omitempty"`
	// Missing says why the target can't work here; "" when it can.
	Missing string `json:"missing,omitempty"`
	// Ours says that it is the product: what fails there is our fault.
	Ours bool `json:"ours,omitempty"`
	// Native targets mount nothing: they are a directory with a copy.
	Native bool `json:"native,omitempty"`
	// Namespace runs everything as root of a fresh user namespace.
	Namespace bool `json:"namespace,omitempty"`
	// Mount is the command that mounts. It comes back when the mount answers.
	// {lower} stands for the lower trees joined by colons, highest first;
	// {branches} for the same as unionfs-fuse wants them, with {upper} in
	// front; {upper}, {work} and {mount} for directories.
	Mount []string `json:"mount,omitempty"`
	// Engine starts containers on this kind of union.
	Engine *Engine `json:"engine,omitempty"`
}

// Engine starts containers. In its commands {tar} stands for an archive of a
// root file system, {rootfs} for the lower tree itself, {dir} for a folder of
// the run, {number} for a number that differs with each start.
type Engine struct {
	Name    string     `json:"name"`
	Missing string     `json:"missing,omitempty"`
	Prepare [][]string `json:"prepare,omitempty"`
	Start   []string   `json:"start"`
	Clear   [][]string `json:"clear,omitempty"`
}

// layout are the directories of one mount.
type layout struct {
	lower                []string
	upper, work, mounted string
}

// command fills in the mount command. Lower trees are named relative to a
// directory in which the command is to be run: mount(2) takes no more than a
// page of options, which 128 long names don't fit in.
func (t Target) command(l layout) (argv []string, dir string) {
	dir = commonDir(l.lower)
	var names []string
	branches := []string{l.upper + "=RW"}
	for _, lower := range l.lower {
		names = append(names, strings.TrimPrefix(lower, dir+"/"))
		branches = append(branches, lower+"=RO")
	}
	return fill(t.Mount, map[string]string{
		"lower": strings.Join(names, ":"), "branches": strings.Join(branches, ":"),
		"upper": l.upper, "work": l.work, "mount": l.mounted,
	}), dir
}

// fill puts words in the places of a command line.
func fill(argv []string, words map[string]string) []string {
	var pairs []string
	for name, word := range words {
		pairs = append(pairs, "{"+name+"}", word)
	}
	replacer := strings.NewReplacer(pairs...)
	filled := make([]string, len(argv))
	for i, arg := range argv {
		filled[i] = replacer.Replace(arg)
	}
	return filled
}

// commonDir is the deepest directory that all paths are below.
func commonDir(paths []string) string {
	dir := filepath.Dir(paths[0])
	for _, p := range paths[1:] {
		for dir != "/" && !strings.HasPrefix(p, dir+"/") {
			dir = filepath.Dir(dir)
		}
	}
	return dir
}

// Select keeps what matches one of the globs, in the order of all, and leaves
// out what matches a glob behind "!". Without globs to keep by, all is kept. A
// glob that matches nothing is an error.
func Select[T any](all []T, name func(T) string, kind string, globs []string) ([]T, error) {
	used := make([]bool, len(globs))
	everything := !slices.ContainsFunc(globs, func(glob string) bool { return !strings.HasPrefix(glob, "!") })
	kept := slices.DeleteFunc(slices.Clone(all), func(one T) bool {
		keep := everything
		for i, glob := range globs {
			bare, leave := strings.CutPrefix(glob, "!")
			if ok, _ := filepath.Match(bare, name(one)); ok {
				used[i], keep = true, !leave
			}
		}
		return !keep
	})
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("%q matches no %s; --list shows them", globs[i], kind)
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no %s is left", kind)
	}
	return kept, nil
}
