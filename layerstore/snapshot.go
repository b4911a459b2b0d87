package layerstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/whiteout"
)

// Snapshot is a writable place on top of a chain of layers.
type Snapshot struct {
	ID string `json:"id"`
	// Name is what its owner calls it, unique in the store; may be empty.
	Name string `json:"name,omitempty"`
	// Layers is the chain, the lowest first; empty for a snapshot that
	// begins with nothing.
	Layers []DiffID `json:"layers"`
	// Base is a directory of this machine that is in the place of the layers:
	// below what is written, or, with the driver "directory", where it goes.
	Base string `json:"base,omitempty"`
	// Image is the image it was made from, if any.
	Image ImageID `json:"image,omitempty"`
	// Driver made it and must mount it.
	Driver  string    `json:"driver"`
	Created time.Time `json:"created"`
	// Labels and Data belong to whoever made it.
	Labels map[string]string `json:"labels,omitempty"`
	Data   json.RawMessage   `json:"data,omitempty"`

	dir string
}

// Dir is the snapshot's folder: its driver keeps there what it needs.
func (n *Snapshot) Dir() string { return n.dir }

// SnapshotAt is a snapshot that is nothing but its folder.
func SnapshotAt(dir string) Snapshot { return Snapshot{dir: dir} }

// Upper is where changes are, for drivers that have such a place.
func (n *Snapshot) Upper() string { return filepath.Join(n.dir, "upper") }

// Work is the workdir that belongs to Upper.
func (n *Snapshot) Work() string { return filepath.Join(n.dir, "work") }

// nameForm is docker's for containers.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// NewSnapshot publishes a snapshot on a chain that the stage holds; fill makes
// what its driver needs below its folder, before anybody sees it.
func (st *Stage) NewSnapshot(n Snapshot, fill func(n *Snapshot) error) (Snapshot, error) {
	if n.Name != "" && !nameForm.MatchString(n.Name) {
		return n, badName(n.Name)
	}
	n.ID, n.Created, n.dir = newID(), time.Now().UTC(), st.file("snapshot")
	if err := os.Mkdir(n.dir, dirMode); err != nil {
		return n, err
	}
	if err := fill(&n); err != nil {
		return n, err
	}
	if err := writeJSON(filepath.Join(n.dir, "meta.json"), n); err != nil {
		return n, err
	}
	return n, st.s.locked(func() error {
		if err := st.s.mayBegin(&n); err != nil {
			return err
		}
		place := st.s.path("snapshots", n.ID)
		if err := os.Rename(n.dir, place); err != nil {
			return err
		}
		n.dir = place
		return syncDir(filepath.Dir(place))
	})
}

// mayBegin looks for a snapshot's name and layers under the store's lock.
func (s *Store) mayBegin(n *Snapshot) error {
	for _, l := range n.Layers {
		if !s.HasLayer(l) {
			return fmt.Errorf("layer %s is not in the store", l)
		}
	}
	if n.Name == "" {
		return nil
	}
	if old, err := s.Snapshot(n.Name); err == nil && old.Name == n.Name {
		return &NameTakenError{n.Name, old.ID}
	}
	return nil
}

// Snapshots lists the snapshots, the oldest first. One whose description is damaged
// is an error: who collects what nobody needs has to know them all.
func (s *Store) Snapshots() ([]Snapshot, error) {
	return s.snapshots(damagedSnapshot)
}

// SoundSnapshots is Snapshots for those who only look: it warns of damaged ones, and
// leaves them out.
func (s *Store) SoundSnapshots() ([]Snapshot, error) {
	return s.snapshots(func(err error) error {
		s.Warn(damagedSnapshot(err).Error())
		return nil
	})
}

func damagedSnapshot(err error) error {
	return fmt.Errorf("%w: unionfs system check says what can be done", err)
}

// snapshots asks about damaged ones whether they are the end.
func (s *Store) snapshots(damaged func(error) error) ([]Snapshot, error) {
	ids, err := s.names("snapshots")
	var out []Snapshot
	for _, id := range ids {
		n, err := s.readSnapshot(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			out = append(out, n)
		} else if err := damaged(err); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b Snapshot) int { return a.Created.Compare(b.Created) })
	return out, err
}

func (s *Store) readSnapshot(id string) (Snapshot, error) {
	n := Snapshot{dir: s.path("snapshots", id)}
	err := readJSON(filepath.Join(n.dir, "meta.json"), &n)
	return n, err
}

// UnknownSnapshotError says that no snapshot in the store has the name.
type UnknownSnapshotError struct{ Name string }

func (e *UnknownSnapshotError) Error() string {
	return fmt.Sprintf("no snapshot %q in the store: unionfs snapshot ls lists them", e.Name)
}

// Snapshot finds one by its name or the beginning of its id.
func (s *Store) Snapshot(what string) (Snapshot, error) {
	all, err := s.SoundSnapshots()
	if err != nil {
		return Snapshot{}, err
	}
	var hits []Snapshot
	for _, n := range all {
		if n.Name == what && what != "" || n.ID == what {
			return n, nil
		}
		if what != "" && strings.HasPrefix(n.ID, what) {
			hits = append(hits, n)
		}
	}
	switch len(hits) {
	case 0:
		return Snapshot{}, &UnknownSnapshotError{what}
	case 1:
		return hits[0], nil
	}
	return Snapshot{}, fmt.Errorf("%q is the beginning of %d snapshots' ids: give more of it", what, len(hits))
}

// LowerDirs are the trees of a chain's layers, the highest first, as unions
// take them.
func (s *Store) LowerDirs(chain []DiffID) []string {
	layers := s.Lowers(chain)
	out := make([]string, len(layers))
	for i, l := range layers {
		out[i] = s.LayerDir(l)
	}
	return out
}

// Lowers are the layers of a chain that a union merges, the highest first: down to
// one whose root is opaque, which hides all below it. Unions don't look for that
// mark at the root of a layer, as the kernel's overlayfs doesn't.
func (s *Store) Lowers(chain []DiffID) []DiffID {
	layers := Stack(chain)
	for i, l := range layers {
		if s.hidesAll(l) {
			return layers[:i+1]
		}
	}
	return layers
}

func (s *Store) hidesAll(l DiffID) bool {
	fd, err := unix.Open(s.LayerDir(l), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // who opens it to read it tells why it can't be
	}
	defer unix.Close(fd)
	marks, err := whiteout.ReadDirMarks(fd, "")
	return err == nil && marks.Opaque
}

// Stack turns a chain's order into a union's, which is the highest first. A
// layer that is in the chain twice counts where it is highest: below that it
// has nothing to show, and the kernel's overlayfs refuses it.
func Stack(chain []DiffID) []DiffID {
	var out []DiffID
	for _, l := range slices.Backward(chain) {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// Short is what tables show of a snapshot's id.
func (n *Snapshot) Short() string { return n.ID[:min(12, len(n.ID))] }

// RenameSnapshot gives a snapshot another name.
func (s *Store) RenameSnapshot(id, name string) error {
	if !nameForm.MatchString(name) {
		return badName(name)
	}
	return s.locked(func() error {
		n, err := s.readSnapshot(id)
		if err != nil {
			return err
		}
		if old, err := s.Snapshot(name); err == nil && old.Name == name {
			if old.ID == id {
				return nil
			}
			return &NameTakenError{name, old.ID}
		}
		n.Name = name
		return writeJSON(filepath.Join(n.dir, "meta.json"), n)
	})
}

func badName(name string) error {
	return fmt.Errorf("%q is no name: letters, digits, and _ . - behind the first", name)
}

// NameTakenError says that another snapshot has a name.
type NameTakenError struct{ Name, By string }

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("the name %q is taken by %s: remove that first, or take another name", e.Name, e.By[:min(12, len(e.By))])
}

// RemoveSnapshot makes a snapshot vanish at once and then removes its files.
// Whoever has it mounted must have unmounted it, and its driver must have taken
// back what it has elsewhere.
func (s *Store) RemoveSnapshot(id string) error {
	st, err := s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = st.TakeSnapshot(id)
	return err
}

// TakeSnapshot makes a snapshot vanish at once, as RemoveSnapshot does. Its
// folder is in the stage now and goes with it: until then its driver may remove
// in its own way what it keeps there.
func (st *Stage) TakeSnapshot(id string) (dir string, err error) {
	dir = st.file("dead")
	return dir, os.Rename(st.s.path("snapshots", id), dir)
}
