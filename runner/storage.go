package runner

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// settleStorage turns what was asked for into what the container has from now
// on: the mounts of other containers and the image's own volumes are added, and
// all volumes have names. declared are the places of the image's VOLUME.
func (r *Runner) settleStorage(s *Spec, declared map[string]struct{}) error {
	for _, word := range s.VolumesFrom {
		if err := r.addVolumesFrom(s, word); err != nil {
			return fmt.Errorf("--volumes-from=%s: %w", word, err)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(declared)) {
		// The config's words may lack the slash.
		if place = path.Join("/", place); place != "/" && !s.hasMountAt(place) {
			s.Mounts = append(s.Mounts, Mount{Type: VolumeMount, Target: place})
		}
	}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if m.Type != VolumeMount {
			continue
		}
		if m.Source == "" {
			m.Source, m.Anonymous = anonymousName(), true
		}
		if m.Driver == "" {
			m.Driver = s.VolumeDriver
		}
	}
	return s.checkStorage()
}

// addVolumesFrom adds the volumes and binds of another container, where nothing
// else was asked for.
func (r *Runner) addVolumesFrom(s *Spec, word string) error {
	name, modes, given := strings.Cut(word, ":")
	if name == "" {
		return fmt.Errorf("a container's name is expected, as in NAME:ro")
	}
	words := strings.Split(modes, ",")
	for _, mode := range words {
		if given && mode != "ro" && mode != "rw" && mode != "z" && mode != "Z" {
			return fmt.Errorf("%q isn't known behind the colon: ro or rw is expected", mode)
		}
	}
	readOnly := slices.Contains(words, "ro")
	if readOnly && slices.Contains(words, "rw") {
		return errors.New("ro and rw exclude each other")
	}
	other, err := r.Find(name)
	if err != nil {
		return err
	}
	for _, m := range other.Spec.storage() {
		if m.Type != VolumeMount && m.Type != BindMount || s.hasMountAt(m.Target) {
			continue
		}
		m.ReadOnly = m.ReadOnly || readOnly
		m.NoCopy = m.NoCopy || m.Type == VolumeMount // it was filled from the other's image
		s.Mounts = append(s.Mounts, m)
	}
	return nil
}

func (s *Spec) hasMountAt(place string) bool {
	return slices.ContainsFunc(s.storage(), func(m Mount) bool { return path.Clean(m.Target) == path.Clean(place) })
}

// anonymousName is docker's form for the names of volumes that got none.
func anonymousName() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read
	return hex.EncodeToString(b[:])
}

// VolumeUsers answers which containers, by name, have a volume among their
// mounts, whether they run or not.
func (r *Runner) VolumeUsers(volume string) ([]string, error) {
	list, err := r.listAll()
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range list {
		if list[i].Spec.usesVolume(volume) {
			out = append(out, list[i].nameOrID())
		}
	}
	return out, nil
}

func (s *Spec) usesVolume(volume string) bool {
	return slices.ContainsFunc(s.Mounts, func(m Mount) bool { return m.Type == VolumeMount && m.Source == volume })
}

// Storage is all that a container has mounted by its own wish.
func (c *Container) Storage() []Mount { return c.Spec.storage() }
