package volumes

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ConflictError says that a name is taken by a volume of another driver.
type ConflictError struct{ Name, Driver string }

func (e *ConflictError) Error() string {
	return fmt.Sprintf("a volume named %q is there already, of the driver %q: choose another name, or remove it first", e.Name, e.Driver)
}

// UnknownDriverError says that there is no such driver.
type UnknownDriverError struct{ Name string }

func (e *UnknownDriverError) Error() string {
	return fmt.Sprintf("no volume driver %q: %q is ours, others are plugins", e.Name, Local)
}

// Create makes a volume. One of that name and driver that is there already is
// fine and stays as it is.
func (s *Store) Create(ctx context.Context, r Request) (Volume, error) {
	if r.Name == "" {
		r.Name = randomName()
	}
	if r.Driver == "" {
		r.Driver = Local
	}
	if err := CheckName(r.Name); err != nil {
		return Volume{}, err
	}
	if old, err := s.readMeta(r.Name); !IsNotFound(err) {
		if err != nil {
			return Volume{}, err
		}
		return s.again(ctx, old, &r)
	}
	m := &meta{
		Name: r.Name, Driver: r.Driver, CreatedAt: time.Now().UTC(),
		Labels: maps.Clone(r.Labels), Options: maps.Clone(r.Options), Anonymous: r.Anonymous,
	}
	if err := s.create(ctx, m); err != nil {
		if errors.Is(err, fs.ErrExist) { // somebody was faster
			return s.Create(ctx, r)
		}
		return Volume{}, err
	}
	return s.tell(ctx, m)
}

// again answers for a volume that is there.
func (s *Store) again(ctx context.Context, old *meta, r *Request) (Volume, error) {
	if old.Driver != r.Driver {
		return Volume{}, &ConflictError{r.Name, old.Driver}
	}
	if len(r.Options) > 0 && !maps.Equal(old.Options, r.Options) {
		s.warn(fmt.Sprintf("volume %s is there already, with other options: it stays as it is", r.Name))
	}
	return s.tell(ctx, old)
}

func (s *Store) create(ctx context.Context, m *meta) error {
	d, err := s.driver(ctx, m.Driver)
	if err != nil {
		return err
	}
	st, err := s.stageVolume()
	if err != nil {
		return err
	}
	defer st.close()
	if d != nil {
		if err := d.Create(ctx, m.Name, m.Options); err != nil {
			return err
		}
		return s.publish(st, m)
	}
	return s.createLocal(ctx, st, m)
}

// stageVolume makes the directories of a volume in a stage.
func (s *Store) stageVolume() (*stage, error) {
	st, err := s.newStage()
	if err != nil {
		return nil, err
	}
	err = os.MkdirAll(st.path("volume", usesDir), dirMode)
	if err == nil {
		err = os.Mkdir(st.path("volume", dataDir), 0o755)
	}
	if err == nil {
		// Whatever the umask says: containers' users come here.
		err = os.Chmod(st.path("volume", dataDir), 0o755)
	}
	if err != nil {
		st.close()
		return nil, err
	}
	return st, nil
}

// taken says which name is taken.
func taken(err error, name string) error {
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("a volume named %q is there already: choose another name, or remove it first", name)
	}
	return err
}

// publish gives a staged volume its name; fs.ErrExist says that it is taken.
func (s *Store) publish(st *stage, m *meta) error {
	if err := writeJSON(st.path("volume", metaFile), m); err != nil {
		return err
	}
	return s.locked(func() error { return s.publishLocked(st, m.Name) })
}

func (s *Store) publishLocked(st *stage, name string) error {
	err := unix.Renameat2(unix.AT_FDCWD, st.path("volume"), unix.AT_FDCWD, s.path(name), unix.RENAME_NOREPLACE)
	if err == unix.EINVAL || err == unix.ENOSYS {
		// A file system without it: rename(2) replaces empty directories only,
		// and a volume never is one.
		err = unix.Rename(st.path("volume"), s.path(name))
		if err == unix.ENOTEMPTY {
			err = unix.EEXIST
		}
	}
	if err != nil {
		return &os.PathError{Op: "make the volume", Path: s.path(name), Err: err}
	}
	return syncDir(s.dir)
}

// randomName is docker's form for the names of volumes that got none.
func randomName() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read
	return hex.EncodeToString(b[:])
}
