package layerstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/layertar"
)

// Store is an open store. Its methods may be called from any number of
// goroutines, and any number of processes may have it open.
type Store struct {
	root string
	info storeInfo
	// Warn gets one line for each thing that is left out or repaired.
	Warn func(line string)

	sweep sync.Once
}

// storeInfo is store.json.
type storeInfo struct {
	Version int    `json:"version"`
	IDs     string `json:"ids"` // idsReal or idsSingle
}

const (
	storeVersion = 1
	idsReal      = "real"
	idsSingle    = "single"
)

// Open opens the store at root and makes it when it isn't there. A new store
// keeps owners as they are when this process may give files to others (root,
// or root of a user namespace with a range of ids), else in attributes; it
// stays so for the store's life.
func Open(root string) (*Store, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, Warn: func(string) {}}
	err = readJSON(s.path("store.json"), &s.info)
	if errors.Is(err, fs.ErrNotExist) {
		err = s.create()
	}
	if err != nil {
		return nil, storeError(root, err)
	}
	if s.info.IDs != idsReal && s.info.IDs != idsSingle {
		return nil, storeError(root, fmt.Errorf("%s %w: %q is no way to keep owners", s.path("store.json"), errDamaged, s.info.IDs))
	}
	if s.info.Version != storeVersion {
		return nil, fmt.Errorf("the store %s has version %d, and this program knows %d: use the program that made it, or another --root", root, s.info.Version, storeVersion)
	}
	if s.info.IDs == idsReal && !severalIDs() {
		return nil, fmt.Errorf("the store %s holds files of many owners, and this process has one id only: enter the user namespace it was made in, or use another --root", root)
	}
	return s, nil
}

func storeError(root string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the store %s belongs to somebody else (this is uid %d): use another --root", root, os.Geteuid())
	case errors.Is(err, errDamaged):
		return fmt.Errorf(`the store %s: %w: write {"version": %d, "ids": "real"} into it, or "single" when the store was made with one id only`, root, err, storeVersion)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("the store %s is on a read-only file system: use another --root", root)
	}
	return fmt.Errorf("the store %s: %w", root, err)
}

// create makes an empty store; two processes that do so at once make one.
func (s *Store) create() error {
	if err := os.MkdirAll(s.root, dirMode); err != nil {
		return err
	}
	return s.locked(func() error {
		if err := s.makeFolders(); err != nil {
			return err
		}
		if err := readJSON(s.path("store.json"), &s.info); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.info = storeInfo{Version: storeVersion, IDs: idsSingle}
		if severalIDs() {
			s.info.IDs = idsReal
		}
		return writeJSON(s.path("store.json"), s.info)
	})
}

func (s *Store) makeFolders() error {
	for _, dir := range [...]string{"blobs/sha256", "partial", "layers", "images", "snapshots", "stages"} {
		if err := os.MkdirAll(s.path(dir), dirMode); err != nil {
			return err
		}
	}
	return nil
}

// severalIDs tells whether this process may give files to more than one owner.
func severalIDs() bool {
	if unix.Geteuid() != 0 {
		return false
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return true // no user namespaces at all
	}
	total := uint64(0)
	for line := range strings.Lines(string(text)) {
		var in, out, count uint64
		if _, err := fmt.Sscan(line, &in, &out, &count); err == nil {
			total += count
		}
	}
	return total > 1
}

// Root is the store's folder.
func (s *Store) Root() string { return s.root }

// IDs says how the layers' owners are kept on disk.
func (s *Store) IDs() layertar.IDs {
	if s.info.IDs == idsReal {
		return layertar.RealIDs
	}
	return layertar.SingleID
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// LayerDir is where the layer's tree is: a lower directory for unions.
func (s *Store) LayerDir(id DiffID) string { return s.path("layers", id.Hex(), "diff") }

// names lists a folder of the store, without what is on its way in.
func (s *Store) names(folder string) ([]string, error) {
	entries, err := os.ReadDir(s.path(folder))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".new-") {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
