package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// configuration is the config file, with the flags that stand above it. Its
// fields are documented in docs/config.md.
type configuration struct {
	Root          string                    `toml:"root" json:"root"`
	StorageDriver string                    `toml:"storage_driver" json:"storageDriver"`
	Registries    map[string]registryConfig `toml:"registries" json:"registries,omitempty"`

	// files are those that were read.
	files []string
}

// registryConfig is what is said of one registry: [registries."docker.io"].
type registryConfig struct {
	Mirrors  []string `toml:"mirrors" json:"mirrors,omitempty"`
	Insecure bool     `toml:"insecure" json:"insecure,omitempty"`
}

// loadConfiguration reads the machine's file and the user's, the later above
// the earlier; or the one that the command line or UNIONFS_CONFIG names, alone.
func loadConfiguration(file string) (configuration, error) {
	c := configuration{Root: defaultRoot(), StorageDriver: "auto"}
	if file == "" {
		file = os.Getenv("UNIONFS_CONFIG")
	}
	if file != "" {
		return c, c.read(file)
	}
	for _, file := range configFiles() {
		if err := c.read(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c, err
		}
	}
	return c, nil
}

func configFiles() []string {
	files := []string{"/etc/unionfs/config.toml"}
	if dir, err := os.UserConfigDir(); err == nil && !realRoot() {
		files = append(files, filepath.Join(dir, "unionfs", "config.toml"))
	}
	return files
}

func (c *configuration) read(file string) error {
	meta, err := toml.DecodeFile(file, c)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("config file %s: %w", file, fs.ErrNotExist)
		}
		return fmt.Errorf("config file %s: %s", file, strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return fmt.Errorf("config file %s: unknown key %q: docs/config.md lists the keys", file, unknown[0])
	}
	if !filepath.IsAbs(c.Root) {
		return fmt.Errorf("config file %s: root = %q must be an absolute path", file, c.Root)
	}
	c.files = append(c.files, file)
	return nil
}

// realRoot tells whether this is root of the whole machine, and not just of a
// user namespace that some user has made.
func realRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return true
	}
	return strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}

// defaultRoot is where the store is unless somebody says otherwise.
func defaultRoot() string {
	if realRoot() {
		return "/var/lib/unionfs"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "unionfs")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, ".local", "share", "unionfs")
}
