package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

func mountSteps(s *Spec) (steps []Step) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		steps = append(steps, within("mount", m.text(), func(in *inside) error {
			err := in.mount(i)
			if m.Optional {
				return nil // asked for if it can be had
			}
			return pathError(err, m.Target)
		}))
	}
	return steps
}

func (m *Mount) text() string {
	source := m.Source
	if source == "" {
		source = m.Type
	}
	if m.Subpath != "" {
		source += " part " + m.Subpath
	}
	text := fmt.Sprintf("%s on %s type %s", source, m.Target, m.Type)
	if len(m.Options) > 0 {
		text += " (" + strings.Join(m.Options, ",") + ")"
	}
	if m.IDMap != nil {
		text += " ids " + m.IDMap.String()
	}
	if m.CopyUp {
		text += " copy-up"
	}
	if m.Optional {
		text += " optional"
	}
	return text
}

// mount makes the mount where nobody sees it, and moves it to its target when
// it is as it should be: there is no moment in which it can be used without
// its flags, and no path that is looked up twice.
func (in *inside) mount(i int) error {
	m := &in.spec.Mounts[i]
	o := parseMountOptions(m.Options)
	if m.Fd == nil && (m.Type == "cgroup" || m.Type == "cgroup2") {
		return in.cgroupMount(m, &o)
	}
	fd, err := in.detached(m, &o)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if m.Subpath != "" {
		part, err := in.part(fd, m.Subpath)
		if err != nil {
			return err
		}
		defer unix.Close(part)
		fd = part
	}
	if m.IDMap != nil {
		if err := mapMount(fd, in.idMaps[i], o.recursive); err != nil {
			return err
		}
	}
	found := in.exists(m.Target)
	target, err := in.target(fd, m.Target)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	if sameDirectory(target, in.root) {
		return errors.New("nothing can be mounted on the root itself")
	}
	if m.CopyUp && found {
		if err := copyUpBut(target, fd, o.data); err != nil {
			return fmt.Errorf("what is below can't be copied: %w", err)
		}
	}
	return attach(fd, target, &o)
}

// exists tells whether a place is there before it is made.
func (in *inside) exists(name string) bool {
	fd, err := resolve(in.root, name)
	if err == nil {
		unix.Close(fd)
	}
	return err == nil
}

func sameDirectory(a, b int) bool {
	var x, y unix.Stat_t
	return unix.Fstat(a, &x) == nil && unix.Fstat(b, &y) == nil && x.Dev == y.Dev && x.Ino == y.Ino
}

// attach moves a detached mount to its target. Sharing is set afterwards: a
// mount that is shared can't be moved (move_mount(2), EINVAL).
func attach(fd, target int, o *mountOptions) error {
	if err := unix.MoveMount(fd, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH); err != nil {
		return fmt.Errorf("can't be attached: %w", err)
	}
	return o.propagate(fd)
}

// target finds or makes the place of a mount: a file for a file, a directory
// for all else.
func (in *inside) target(mount int, name string) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(mount, &st); err != nil {
		return -1, err
	}
	create, isDir := makeFile, st.Mode&unix.S_IFMT == unix.S_IFDIR
	if isDir {
		create = makeDir
	}
	fd, err := resolveNew(in.root, name, create)
	if err != nil {
		return -1, err
	}
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if found := st.Mode&unix.S_IFMT == unix.S_IFDIR; found != isDir {
		unix.Close(fd)
		if isDir {
			return -1, fmt.Errorf("it is a file, and a directory is to be mounted there: is the source what it was meant to be? (%w)", unix.ENOTDIR)
		}
		return -1, fmt.Errorf("it is a directory, and a file is to be mounted there: is the source what it was meant to be? (%w)", unix.EISDIR)
	}
	return fd, nil
}

// detached makes a mount that is attached nowhere.
func (in *inside) detached(m *Mount, o *mountOptions) (int, error) {
	switch {
	case m.Fd != nil:
		fd, err := unix.FcntlInt(m.Fd.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			return -1, err
		}
		return finish(fd, o)
	case m.Type == "bind":
		return bind(m.Source, o)
	}
	fd, err := newMount(m.Type, m.Source, o)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EBUSY) {
		return hostMount(m.Type, o, err)
	}
	return fd, err
}

// finish applies options to a mount that is ours alone.
func finish(fd int, o *mountOptions) (int, error) {
	if err := o.apply(fd); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bind clones a mount of the host.
func bind(source string, o *mountOptions) (int, error) {
	fd, err := cloneMount(source, o.recursive)
	if err != nil {
		return -1, err
	}
	return finish(fd, o)
}

func cloneMount(source string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, source, flags)
	if err == unix.EINVAL && !recursive {
		// In a user namespace mounts that came with it are locked together
		// (mount_namespaces(7)): they can't be bound one without the other.
		fd, err = unix.OpenTree(unix.AT_FDCWD, source, flags|unix.AT_RECURSIVE)
	}
	if err != nil {
		return -1, fmt.Errorf("%s can't be bound: %w", source, err)
	}
	return fd, nil
}

// newMount makes a file system.
func newMount(kind, source string, o *mountOptions) (int, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("a %s: %w", kind, err)
	}
	defer unix.Close(fs)
	if source != "" {
		if err := unix.FsconfigSetString(fs, "source", source); err != nil {
			return -1, fsError(fs, kind, "source="+source, err)
		}
	}
	for _, word := range o.data {
		key, value, valued := strings.Cut(word, "=")
		if valued {
			err = unix.FsconfigSetString(fs, key, value)
		} else {
			err = unix.FsconfigSetFlag(fs, key)
		}
		if err != nil {
			return -1, fsError(fs, kind, word, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, fsError(fs, kind, "", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, int(o.set&^unix.MOUNT_ATTR_NOSYMFOLLOW))
	if err != nil {
		return -1, fsError(fs, kind, "", err)
	}
	return finish(fd, o)
}

// fsError adds what the kernel wrote to the context's log (fsopen(2)).
func fsError(fs int, kind, word string, err error) error {
	buf := make([]byte, 4096)
	n, readErr := unix.Read(fs, buf)
	said := ""
	if readErr == nil && n > 2 {
		said = " (" + strings.TrimSpace(string(buf[2:n])) + ")" // "e " is its level
	}
	if word != "" {
		return fmt.Errorf("a %s with %s: %w%s", kind, word, err, said)
	}
	return fmt.Errorf("a %s: %w%s", kind, err, said)
}

// hostMounts stand in for what a user namespace may not make anew: a proc whose
// host has parts of its own hidden (fs/namespace.c, mount_too_revealing), a
// sysfs or an mqueue of a namespace that isn't its own.
var hostMounts = map[string]string{"proc": "/proc", "sysfs": "/sys", "mqueue": "/dev/mqueue"}

func hostMount(kind string, o *mountOptions, cause error) (int, error) {
	source, ok := hostMounts[kind]
	if !ok {
		return -1, cause
	}
	fd, err := cloneMount(source, true)
	if err != nil {
		return -1, errors.Join(cause, err)
	}
	own := *o
	own.data = nil
	if kind == "sysfs" {
		own.deepSet |= unix.MOUNT_ATTR_RDONLY // it is the host's
	}
	return finish(fd, &own)
}
