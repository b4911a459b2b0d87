package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Directories are the places where plugins are found.
type Directories struct {
	Sockets []string // hold NAME.sock
	Specs   []string // hold NAME.spec and NAME.json
}

// runtimeFolder is where a user's own plugins are, below $XDG_RUNTIME_DIR.
const runtimeFolder = "docker/plugins"

// DefaultDirectories are those that Docker documents, and before them the
// user's own.
func DefaultDirectories() Directories {
	d := Directories{
		Sockets: []string{"/run/docker/plugins"},
		Specs:   []string{"/etc/docker/plugins", "/usr/lib/docker/plugins"},
	}
	if own := ownFolder(); own != "" {
		d.Sockets = append([]string{own}, d.Sockets...)
		d.Specs = append([]string{own}, d.Specs...)
	}
	return d
}

// ownFolder is "" for root with the environment of a user: whoever may write
// there would tell root what to mount.
func ownFolder() string {
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(runtime) {
		return ""
	}
	info, err := os.Stat(runtime)
	if err != nil {
		return ""
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return ""
	}
	return filepath.Join(runtime, runtimeFolder)
}

// DefaultSocket is where a plugin of this name is found without any setting.
func DefaultSocket(name string) string {
	return filepath.Join(DefaultDirectories().Sockets[0], name+".sock")
}

// candidates are the files that may lead to the plugin, best first. A plugin
// may have a directory of its own name.
func (d Directories) candidates(name string) (files []string) {
	add := func(dir, ending string) {
		files = append(files, filepath.Join(dir, name+ending), filepath.Join(dir, name, name+ending))
	}
	for _, dir := range d.Sockets {
		add(dir, ".sock")
	}
	for _, dir := range d.Specs {
		add(dir, ".spec")
		add(dir, ".json")
	}
	return files
}

// Names lists the plugins that there are, whether they answer or not.
func (d Directories) Names() []string {
	var names []string
	for _, dir := range d.Sockets {
		names = append(names, namesIn(dir, ".sock")...)
	}
	for _, dir := range d.Specs {
		names = append(names, namesIn(dir, ".spec", ".json")...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// namesIn leaves out what can't be read: it isn't ours to use then.
func namesIn(dir string, endings ...string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if name := entry.Name(); entry.IsDir() {
			for _, ending := range endings {
				if _, err := os.Stat(filepath.Join(dir, name, name+ending)); err == nil {
					names = append(names, name)
				}
			}
			continue
		}
		for _, ending := range endings {
			name, fits := strings.CutSuffix(entry.Name(), ending)
			if fits && checkPluginName(name) == nil {
				names = append(names, name)
			}
		}
	}
	return names
}
