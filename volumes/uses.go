package volumes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// useRecord is what stands in the file of a use. A use that is held ends when
// nobody has the file locked any more; one that lasts, of a client of another
// program, ends when the client says so, or the machine starts again.
type useRecord struct {
	ID    string    `json:"id"`
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	Lasts bool      `json:"lasts,omitempty"`
	Boot  string    `json:"boot,omitempty"`
	// Namespace is the mount namespace in which the volume is mounted, if that
	// isn't everybody's.
	Namespace uint64 `json:"namespace,omitempty"`
}

// useFile is the name of a use's file. Ids come from anywhere.
func useFile(id string) string {
	if nameForm.MatchString(id) && len(id) < 200 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(sum[:])
}

func (s *Store) usePath(volume, id string) string { return s.path(volume, usesDir, useFile(id)) }

// useState is a use as it is found.
type useState struct {
	useRecord
	alive bool
}

// findUses reads the uses of a volume. A file that can't be read is a leaked use:
// its maker died while it wrote.
func (s *Store) findUses(volume string) ([]useState, error) {
	names, err := namesIn(s.path(volume, usesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []useState
	for _, name := range names {
		if strings.HasPrefix(name, temporary) {
			continue
		}
		path := s.path(volume, usesDir, name)
		u := useState{}
		if err := readJSON(path, &u.useRecord); err != nil || u.ID == "" {
			u.useRecord = useRecord{ID: name}
		}
		u.alive = u.Lasts && u.Boot == bootID() || !u.Lasts && isHeld(path)
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b useState) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown" // no /proc: then a use lasts until it is ended
	}
	return strings.TrimSpace(string(id))
}

// beginUse notes a use; the lock is the holder's, none for one that lasts. The
// caller has the volume locked.
func (s *Store) beginUse(m *meta, id string, lasts bool) (lock, error) {
	path := s.usePath(m.Name, id)
	if err := os.MkdirAll(s.path(m.Name, usesDir), dirMode); err != nil {
		return lock{}, err
	}
	rec := useRecord{ID: id, PID: os.Getpid(), Since: time.Now().UTC()}
	if lasts {
		rec.Lasts, rec.Boot = true, bootID()
	}
	var err error
	if rec.Namespace, err = s.namespace(); err != nil {
		return lock{}, err
	}
	// Of our own volumes nothing is used any more after a crash of the machine,
	// but a plugin may be on another one.
	if err := writeWhole(path, rec, m.Driver != Local); err != nil {
		return lock{}, err
	}
	if lasts {
		return lock{}, nil
	}
	return lockPath(path)
}

// endUse tells the driver that a use is over and forgets it; what the driver
// refuses stays to be done by a later command.
func (s *Store) endUse(ctx context.Context, m *meta, id string) error {
	d, err := s.driver(ctx, m.Driver)
	if err == nil && d != nil {
		err = d.Unmount(ctx, m.Name, id)
	}
	if err != nil && !IsNotFound(err) {
		return err
	}
	if err := os.Remove(s.usePath(m.Name, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// sweepUses ends the uses whose holders are dead and answers those that live.
func (s *Store) sweepUses(ctx context.Context, m *meta) (live []string, err error) {
	uses, err := s.findUses(m.Name)
	if err != nil {
		return nil, err
	}
	for _, u := range uses {
		if u.alive {
			live = append(live, u.ID)
			continue
		}
		if err := s.endUse(ctx, m, u.ID); err != nil {
			s.warn(fmt.Sprintf("volume %s: the use %s of a process that is dead stays: %v", m.Name, u.ID, err))
		}
	}
	if len(live) == 0 && len(uses) > 0 {
		err = s.unmountUnused(m)
	}
	return live, err
}

// Sweep ends all uses whose holders are dead, and finishes what they left half
// done.
func (s *Store) Sweep(ctx context.Context) error {
	names, err := s.names()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if !s.hasLeaks(name) {
			continue
		}
		err := s.withVolume(name, func(m *meta) error {
			_, err := s.sweepUses(ctx, m)
			return err
		})
		if err != nil && !IsNotFound(err) {
			errs = append(errs, fmt.Errorf("volume %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) hasLeaks(name string) bool {
	uses, err := s.findUses(name)
	return err != nil || slices.ContainsFunc(uses, func(u useState) bool { return !u.alive })
}
