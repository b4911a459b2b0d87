package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// Binds, volumes and images are opened by the monitor, with the rights that it
// has, and handed to the sandbox as mounts in no tree: those go with the last
// process that has them, whatever way the container ends.

// held is what a running container's mounts hold on to. It is let go of in the
// reverse order, when the sandbox is gone.
type held struct{ undo []func() }

func (h *held) later(do func()) { h.undo = append(h.undo, do) }

func (h *held) release() {
	for _, do := range slices.Backward(h.undo) {
		do()
	}
	h.undo = nil
}

// openMounts opens all that the container's spec mounts and puts it into the
// plan. On failure nothing is held.
func (m *monitor) openMounts(ctx context.Context) (*held, error) {
	h := &held{}
	for _, mount := range m.c.Spec.storage() {
		place := m.planned(&mount)
		if mount.Type == TmpfsMount || place == nil {
			continue
		}
		file, err := m.open(ctx, &mount, h)
		if err != nil {
			h.release()
			return nil, m.explain(&mount, err)
		}
		place.Fd = file
	}
	return h, nil
}

// planned is what the plan has of a mount.
func (m *monitor) planned(mount *Mount) *sandbox.Mount {
	i := slices.IndexFunc(m.plan.Mounts, func(p sandbox.Mount) bool { return path.Clean(p.Target) == path.Clean(mount.Target) })
	if i < 0 {
		return nil
	}
	return &m.plan.Mounts[i]
}

func (m *monitor) open(ctx context.Context, mount *Mount, h *held) (*os.File, error) {
	switch mount.Type {
	case VolumeMount:
		return m.openVolume(ctx, mount, h)
	case ImageMount:
		return m.openImage(ctx, mount, h)
	}
	return m.openBind(ctx, mount, h)
}

func (m *monitor) openBind(ctx context.Context, mount *Mount, h *held) (*os.File, error) {
	_, err := os.Stat(mount.Source)
	if errors.Is(err, fs.ErrNotExist) && mount.CreateSource {
		err = os.MkdirAll(mount.Source, 0o755)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the source isn't there: make it first, or have it made with --mount and bind-create-src")
	}
	if err != nil {
		return nil, err
	}
	if mount.Chown && !mount.Overlay {
		if err := mayGiveAway(mount.Source); err != nil {
			return nil, err
		}
	}
	return m.openPlace(ctx, mount, mount.Source, h)
}

// openPlace makes a mount of a file or directory of this machine.
func (m *monitor) openPlace(ctx context.Context, mount *Mount, place string, h *held) (*os.File, error) {
	if mount.Overlay {
		// Writable in any case: what is owned by others is given away in it.
		file, err := m.pass(ctx, driver.Passing{Dir: place, Writable: true}, h)
		if err != nil {
			return nil, err
		}
		return file, m.giveAway(mount, fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	}
	if err := m.giveAway(mount, place); err != nil {
		return nil, err
	}
	deep := mount.Type == BindMount && mount.Recursion != RecursionDisabled
	file, err := sandbox.Clone(place, deep)
	if err != nil {
		return nil, err
	}
	h.later(func() { file.Close() })
	m.hintOfAccess(mount, place)
	return file, m.mapOwners(mount, file, deep)
}

// giveAway gives all files of a place to the container's user.
func (m *monitor) giveAway(mount *Mount, place string) error {
	if !mount.Chown {
		return nil
	}
	uid, gid, err := m.hostUser()
	if err != nil {
		return err
	}
	// The place may be in a union that this process serves.
	return driver.Apart(func() error { return giveTo(place, uid, gid) })
}

// mapOwners makes a mount show other owners than it has.
func (m *monitor) mapOwners(mount *Mount, file *os.File, deep bool) error {
	if mount.IDMap == "" {
		return m.mapVolume(mount, file)
	}
	maps, err := ParseIDMap(mount.IDMap)
	if err != nil {
		return err
	}
	if mount.IDMap == idMapOfContainer {
		maps = m.plan.IDMaps
	}
	switch {
	case len(maps.UIDs) == 0 && m.facts.InitialUserNS:
		return nil // the container's ids are those on disk
	case len(maps.UIDs) == 0:
		return fmt.Errorf("idmap: %w", unix.EPERM)
	}
	if err := sandbox.MapIDs(file, maps, deep); err != nil {
		return fmt.Errorf("idmap: %w", err)
	}
	return nil
}

// volumesAsTheyAre says that a container with ids of its own sees volumes' owners
// without a map.
func (m *monitor) volumesAsTheyAre() bool { return strings.HasPrefix(m.c.Spec.UserMode, "keep-id") }

// mapVolume shows a volume's owners as a container with ids of its own has them.
// One with keep-id has those that a volume has, in another order.
func (m *monitor) mapVolume(mount *Mount, file *os.File) error {
	if len(m.ids.UIDs) == 0 || mount.Type != VolumeMount || mount.Chown || m.volumesAsTheyAre() {
		return nil
	}
	if err := sandbox.MapIDs(file, m.ids, false); err != nil {
		return fmt.Errorf("its owners are nobody in a container with --userns=%s, and it %v: the option U gives its files to the container's user", m.c.Spec.UserMode, err)
	}
	return nil
}

// openImage shows an image that is in the store.
func (m *monitor) openImage(ctx context.Context, mount *Mount, h *held) (*os.File, error) {
	img, err := m.r.Store.Find(mount.Source)
	if err != nil {
		return nil, err
	}
	return m.pass(ctx, driver.Passing{Chain: img.Layers, Writable: mount.Writable}, h)
}

// pass mounts a union that goes with the container's end.
func (m *monitor) pass(ctx context.Context, p driver.Passing, h *held) (*os.File, error) {
	o := driver.MountOptions{Log: m.r.Warn}
	if p.Dir == "" {
		o.UIDs, o.GIDs = shownAs(m.ids.UIDs), shownAs(m.ids.GIDs)
	}
	mount, file, err := driver.Pass(ctx, m.r.Store, p, o)
	if err != nil {
		return nil, err
	}
	h.later(func() { letGo(mount, file) })
	return file, nil
}

// hostUser is the container's user as this process's user namespace has it.
func (m *monitor) hostUser() (uid, gid uint32, err error) {
	uid, ok := outsideID(m.plan.IDMaps.UIDs, m.plan.Process.UID)
	gid, gok := outsideID(m.plan.IDMaps.GIDs, m.plan.Process.GID)
	if !ok || !gok {
		return 0, 0, fmt.Errorf("nothing can be given to the container's user %d:%d, who is in none of its ranges of ids", m.plan.Process.UID, m.plan.Process.GID)
	}
	return uid, gid, nil
}

// outsideID is an id of a user namespace as its maker has it; without a map both
// have the same.
func outsideID(ranges []sandbox.IDRange, id uint32) (uint32, bool) {
	if len(ranges) == 0 {
		return id, true
	}
	for _, r := range ranges {
		if n := int(id) - r.Inside; n >= 0 && n < r.Count {
			return uint32(r.Host + n), true
		}
	}
	return 0, false
}

// explain says which mount an error is about, and what may help.
func (m *monitor) explain(mount *Mount, err error) error {
	advice := ""
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		advice = m.accessAdvice(mount, err)
	}
	return &sandbox.StartError{Code: 125, Step: "storage", Err: fmt.Errorf("%s: %w%s", mount.title(), err, advice)}
}

// title is a mount for messages.
func (m *Mount) title() string {
	if m.Type == VolumeMount && m.Anonymous {
		return fmt.Sprintf("volume at %s", m.Target)
	}
	return fmt.Sprintf("%s %s at %s", m.Type, m.Source, m.Target)
}
