package volumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Volume is what the store tells of one.
type Volume struct {
	Name, Driver, Scope string
	// Mountpoint is where its files are, "" for those of plugins that nobody has
	// mounted. Served volumes have them there only while they are in use.
	Mountpoint      string
	CreatedAt       time.Time
	Labels, Options map[string]string
	Anonymous       bool
	// Status is what a plugin says of it, and what is odd about ours.
	Status map[string]any `json:",omitempty"`
	// Uses are the ids of those who have it now; Leaked are uses whose holders
	// are dead: the next command that may release them does so.
	Uses, Leaked []string `json:",omitempty"`
	// Snapshots are those that were made of it, the oldest first.
	Snapshots []Snapshot `json:",omitempty"`
}

// Request says how a volume is made.
type Request struct {
	Name, Driver    string
	Options, Labels map[string]string
	// Anonymous volumes go with the container that they were made for; without a
	// Name they get one of 64 hexadecimal digits.
	Anonymous bool
}

// meta is what stands in a volume's meta.json.
type meta struct {
	Name      string            `json:"name"`
	Driver    string            `json:"driver"`
	CreatedAt time.Time         `json:"created"`
	Labels    map[string]string `json:"labels,omitempty"`
	Options   map[string]string `json:"options,omitempty"`
	Anonymous bool              `json:"anonymous,omitempty"`
	// Filled says that something was put into it once: it is never filled again.
	Filled bool `json:"filled,omitempty"`
	// Foreign is a plugin's volume that is being filled.
	Foreign *foreignFill `json:"foreign,omitempty"`
	// Importing says that a process puts an archive into it, or died over that.
	Importing bool `json:"importing,omitempty"`
	// Quota is what -o size= means.
	Quota int64 `json:"quota,omitempty"`
	// Stack is what a served volume is made of; nil for others.
	Stack *stack `json:"stack,omitempty"`
	// Move is something to be done before the volume is used (see settle).
	Move      move       `json:"move,omitempty"`
	Snapshots []Snapshot `json:"snapshots,omitempty"`
}

const (
	metaFile = "meta.json"
	dataDir  = "_data"
	usesDir  = "uses"
	dirMode  = 0o700
	// temporary begins the names of files that aren't whole yet.
	temporary = ".new-"
)

// maxName is what a directory's name may have.
const maxName = 255

// nameForm is podman's: docker wants two letters.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// CheckName tells whether a volume may have a name.
func CheckName(name string) error {
	if len(name) > maxName {
		return fmt.Errorf("the name %q… is too long for a volume: %d letters are the most", name[:32], maxName)
	}
	if !isName(name) {
		return fmt.Errorf("%q is no name for a volume: letters, digits, and _ . - behind the first, are allowed", name)
	}
	return nil
}

func (s *Store) readMeta(name string) (*meta, error) {
	if isName(name) {
		m := &meta{}
		err := readJSON(s.path(name, metaFile), m)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	return nil, &NotFoundError{name}
}

func (s *Store) writeMeta(m *meta) error {
	return writeJSON(s.path(m.Name, metaFile), m)
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file, so that a crash leaves the old or the new.
func writeJSON(path string, v any) error {
	if err := writeWhole(path, v, true); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeWhole replaces a file, so that the death of this process leaves the old or
// the new; lasting is for the machine's.
func writeWhole(path string, v any, lasting bool) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), temporary+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(append(data, '\n'))
	if err == nil && lasting {
		err = f.Sync() // the rename must not reach the disk before the bytes
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// syncDir makes the names in a directory last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func isName(name string) bool { return len(name) <= maxName && nameForm.MatchString(name) }
