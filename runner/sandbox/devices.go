package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func deviceSteps(s *Spec) (steps []Step) {
	for i := range s.Devices {
		d := &s.Devices[i]
		steps = append(steps, within("device", d.text(), func(in *inside) error {
			return pathError(in.device(d), d.Path)
		}))
	}
	return steps
}

func (d *Device) text() string {
	if d.Type == "" {
		return fmt.Sprintf("%s as %s", d.Path, d.Source)
	}
	return fmt.Sprintf("%s %s %d:%d mode %04o", d.Path, d.Type, d.Major, d.Minor, d.Mode)
}

var deviceTypes = map[string]uint32{"c": unix.S_IFCHR, "u": unix.S_IFCHR, "b": unix.S_IFBLK, "p": unix.S_IFIFO}

// resolveDevices finds the numbers of nodes that are named by the host's path
// alone; a directory stands for all nodes in it.
func resolveDevices(devices []Device) (out []Device, err error) {
	for _, d := range devices {
		if d.Type != "" {
			if _, ok := deviceTypes[d.Type]; !ok {
				return nil, fmt.Errorf("device %s: its type is %q, and c, b or p is expected", d.Path, d.Type)
			}
			out = append(out, d)
			continue
		}
		found, err := hostDevices(d)
		if err != nil {
			return nil, fmt.Errorf("device %s: %w", d.Source, err)
		}
		out = append(out, found...)
	}
	return out, nil
}

func hostDevices(d Device) (out []Device, err error) {
	var st unix.Stat_t
	if err := unix.Stat(d.Source, &st); err != nil {
		return nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		d.Type = "c"
	case unix.S_IFBLK:
		d.Type = "b"
	case unix.S_IFDIR:
		return devicesBelow(d)
	default:
		return nil, errors.New("that is no device")
	}
	d.Major, d.Minor, d.Mode = unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Mode&0o777
	d.UID, d.GID = st.Uid, st.Gid
	return []Device{d}, nil
}

// ownDevices are names in /dev that are a sandbox's own affair: its terminals,
// and what is in memory.
var ownDevices = map[string]bool{
	"/dev/pts": true, "/dev/ptmx": true, "/dev/console": true, "/dev/shm": true, "/dev/mqueue": true, "/dev/fd": true,
}

func devicesBelow(d Device) (out []Device, err error) {
	err = filepath.WalkDir(d.Source, func(name string, entry os.DirEntry, err error) error {
		switch {
		case errors.Is(err, os.ErrNotExist) && name != d.Source:
			return nil // unplugged meanwhile
		case err != nil:
			return err
		case ownDevices[name] && entry.IsDir():
			return filepath.SkipDir
		case ownDevices[name], entry.Type()&os.ModeDevice == 0:
			return nil
		}
		below, err := filepath.Rel(d.Source, name)
		if err != nil {
			return err
		}
		found, err := hostDevices(Device{Source: name, Path: path.Join(d.Path, below), Access: d.Access})
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		out = append(out, found...)
		return err
	})
	return out, err
}

// device makes a node or, without the right to (a user namespace never has
// it), binds the host's.
func (in *inside) device(d *Device) error {
	dir, name, err := in.parent(d.Path)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	dev := unix.Mkdev(d.Major, d.Minor)
	err = unix.Mknodat(dir, name, deviceTypes[d.Type]|0o600, int(dev))
	switch {
	case err == nil:
		return finishNode(dir, name, d)
	case err == unix.EEXIST && isNode(dir, name, d):
		return nil
	case err == unix.EPERM || err == unix.EEXIST || err == unix.EACCES:
		return in.bindNode(dir, name, d)
	}
	return err
}

// finishNode gives a node its owner and mode, through a descriptor: nobody
// puts a symlink in its place.
func finishNode(dir int, name string, d *Device) error {
	if err := unix.Fchownat(dir, name, int(d.UID), int(d.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil && err != unix.EINVAL {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), d.Mode)
}

func isNode(dir int, name string, d *Device) bool {
	var st unix.Stat_t
	return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		st.Mode&unix.S_IFMT == deviceTypes[d.Type] && st.Rdev == unix.Mkdev(d.Major, d.Minor)
}

func (in *inside) bindNode(dir int, name string, d *Device) error {
	if d.Source == "" {
		return fmt.Errorf("a node can't be made here (%w), and none of the host is named to bind", unix.EPERM)
	}
	fd, err := cloneMount(d.Source, false)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != deviceTypes[d.Type] || st.Rdev != unix.Mkdev(d.Major, d.Minor) {
		return fmt.Errorf("the host's %s isn't the device %s %d:%d", d.Source, d.Type, d.Major, d.Minor)
	}
	if err := makeFile(dir, name); err != nil && err != unix.EEXIST {
		return err
	}
	target, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	o := parseMountOptions([]string{"nosuid", "noexec", "private"})
	if err := o.apply(fd); err != nil {
		return err
	}
	return attach(fd, target, &o)
}

// parent resolves (and makes) the directory of a path.
func (in *inside) parent(name string) (dir int, last string, err error) {
	clean := path.Clean("/" + name)
	if clean == "/" {
		return -1, "", unix.EISDIR
	}
	dir, err = resolveNew(in.root, path.Dir(clean), makeDir)
	return dir, path.Base(clean), err
}

func linkSteps(s *Spec) (steps []Step) {
	for _, l := range s.Links {
		steps = append(steps, within("link", l.Name+" -> "+l.Target, func(in *inside) error {
			return pathError(in.link(l), l.Name)
		}))
	}
	return steps
}

// link leaves what is there: an image may have its own.
func (in *inside) link(l Link) error {
	dir, name, err := in.parent(l.Name)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Symlinkat(l.Target, dir, name); err != nil && err != unix.EEXIST {
		return err
	}
	return nil
}
