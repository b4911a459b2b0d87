package volumes

import (
	"context"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// stage is a directory for what isn't there yet, or any more. Its maker has it
// locked; one that nobody has locked is anybody's to remove.
type stage struct {
	s    *Store
	name string
	lock lock
}

const stagePrefix = ".stage-"

func (s *Store) newStage() (*stage, error) {
	st := &stage{s: s}
	err := s.locked(func() error { // the sweeper holds this, so that it sees none without its lock
		dir, err := os.MkdirTemp(s.dir, stagePrefix)
		if err != nil {
			return err
		}
		st.name = dir[len(s.dir)+1:]
		st.lock, err = tryLock(dir)
		return err
	})
	return st, err
}

func (st *stage) path(names ...string) string {
	return st.s.path(append([]string{st.name}, names...)...)
}

// close removes what is still in the stage.
func (st *stage) close() {
	if err := removeAll(st.path()); err != nil {
		st.s.warn("leftovers of " + st.name + " stay: " + err.Error())
	}
	st.lock.release()
}

// sweepStages removes the stages of processes that are dead.
func (s *Store) sweepStages() error {
	names, err := namesIn(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, stagePrefix) {
			continue
		}
		if err := s.sweepStage(name); err != nil {
			s.warn("leftovers of " + name + " stay: " + err.Error())
		}
	}
	return nil
}

func (s *Store) sweepStage(name string) error {
	var l lock
	err := s.locked(func() (err error) {
		l, err = tryLock(s.path(name))
		return err
	})
	if err == errHeld || os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer l.release()
	if err := s.letGoStaged(name); err != nil {
		return err
	}
	return removeAll(s.path(name))
}

// letGoStaged ends the holding of images whose layers never got their places.
func (s *Store) letGoStaged(stage string) error {
	ids, err := namesIn(s.path(stage))
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := os.Lstat(s.path(stage, id, imageFile)); err != nil {
			continue
		}
		if s.o.Unions == nil {
			return errNoUnions
		}
		if err := s.o.Unions.LetGo(context.Background(), holdName(id)); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes a tree, entering no other mount.
func removeAll(path string) error {
	if err := hostfs.RemoveAll(unix.AT_FDCWD, path); err != nil {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

// namesIn lists a directory without its order meaning anything.
func namesIn(dir string) ([]string, error) {
	fd, err := openDir(dir)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer hostfs.Close(fd)
	return namesOf(fd)
}

// namesOf lists an open directory.
func namesOf(fd int) (names []string, err error) {
	err = hostfs.ReadDir(fd, nil, func(name []byte, _ uint64, _ uint8) error {
		names = append(names, string(name))
		return nil
	})
	return names, err
}
