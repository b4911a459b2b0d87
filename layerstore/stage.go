package layerstore

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// Stage is where one command makes things before they are published. What its
// lease names is safe from collection until Close.
type Stage struct {
	s     *Store
	dir   string
	alive fileLock

	mu    sync.Mutex
	lease lease
	seq   int
}

// lease is lease.json: what a living stage relies upon.
type lease struct {
	Blobs  []Digest `json:"blobs"`
	Layers []DiffID `json:"layers"`
}

// Begin opens a stage. The first of a process also removes the stages that
// killed processes left.
func (s *Store) Begin() (*Stage, error) {
	s.sweep.Do(s.sweepStages)
	st := &Stage{s: s, dir: s.path("stages", newID())}
	err := s.locked(func() (err error) {
		// Under the lock, so that no sweep sees the stage before it is locked.
		if err = os.Mkdir(st.dir, dirMode); err != nil {
			return err
		}
		st.alive, err = lockFile(filepath.Join(st.dir, "alive"))
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// newID is a fresh name for a stage or a snapshot, of docker's length: 256 bits
// in hexadecimal.
func newID() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read
	return hex.EncodeToString(b[:])
}

// Close removes all that wasn't published.
func (st *Stage) Close() {
	_ = removeTree(st.dir) // what is left is swept by a later command
	st.alive.release()
}

// file answers a fresh name in the stage.
func (st *Stage) file(kind string) string {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.seq++
	return filepath.Join(st.dir, kind+"-"+hex.EncodeToString([]byte{byte(st.seq >> 16), byte(st.seq >> 8), byte(st.seq)}))
}

// TempDir is an empty directory in the stage, for what a command must keep aside.
func (st *Stage) TempDir() (string, error) {
	dir := st.file("temp")
	return dir, os.Mkdir(dir, dirMode)
}

// TempFile is an open file in the stage, for what a command must keep aside.
func (st *Stage) TempFile() (*os.File, error) {
	return os.OpenFile(st.file("temp"), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
}

// Hold protects blobs and layers from collection, whether they are there
// already or not, until Close.
func (st *Stage) Hold(blobs []Digest, layers []DiffID) error {
	return st.s.locked(func() error { return st.holdLocked(blobs, layers) })
}

// holdLocked is Hold for a caller with the store's lock.
func (st *Stage) holdLocked(blobs []Digest, layers []DiffID) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.lease.Blobs = append(st.lease.Blobs, blobs...)
	st.lease.Layers = append(st.lease.Layers, layers...)
	return writeJSON(filepath.Join(st.dir, "lease.json"), st.lease)
}

// sweepStages removes what dead processes left.
func (s *Store) sweepStages() {
	var dead []string
	_ = s.locked(func() error {
		ids, err := s.names("stages")
		for _, id := range ids {
			l, err := tryLockFile(s.path("stages", id, "alive"))
			if err == errLocked {
				continue
			}
			if err == nil {
				l.release()
			}
			dead = append(dead, s.path("stages", id))
		}
		return err
	})
	for _, dir := range dead {
		if err := removeTree(dir); err != nil {
			s.Warn("leftovers of a killed command stay in " + dir + ": " + err.Error())
		}
	}
}

// removeTree removes a directory with all that is in it; it follows no links
// and enters no mounts. What isn't there is fine.
func removeTree(path string) error {
	parent, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer hostfs.Close(parent)
	return hostfs.RemoveAll(parent, filepath.Base(path))
}
