package union

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/whiteout"
)

// openLayers opens what cfg names, the upper first so that its file system
// keeps its inode numbers.
func (u *Union) openLayers() error {
	if len(u.cfg.Lower) == 0 {
		return errors.New("no lower layer: give lowerdir=DIR[:DIR...]")
	}
	if u.cfg.Upper != "" {
		if err := u.openUpper(); err != nil {
			return err
		}
	} else if u.cfg.Work != "" {
		u.warn("workdir=" + u.cfg.Work + " is not used: there is no upperdir")
	}
	for i, path := range u.cfg.Lower {
		if path == "" {
			return fmt.Errorf("lowerdir: layer %d of %d has an empty name", i+1, len(u.cfg.Lower))
		}
		l, err := u.openLower(i, path)
		if err != nil {
			return err
		}
		u.lowers = append(u.lowers, l)
	}
	return nil
}

func (u *Union) openLower(i int, path string) (*layer, error) {
	fd, err := openLowerPath(path)
	if err != nil {
		return nil, layerError("lowerdir", path, err)
	}
	l, err := u.newLayer(i, path, fd)
	if err != nil {
		hostfs.Close(fd)
		return nil, layerError("lowerdir", path, err)
	}
	if probe, err := hostfs.Reopen(fd, unix.O_RDONLY|unix.O_DIRECTORY); err != nil {
		hostfs.Close(fd)
		return nil, layerError("lowerdir", path, err)
	} else {
		hostfs.Close(probe)
	}
	u.openIndex(l)
	return l, nil
}

// openLowerPath opens a layer through a private clone of its mount: without
// the mounts below it (ours may be one), read-only and free of access times, so
// that not even a mistake of ours could write to it. Without the privilege to
// clone it opens the host's own.
func openLowerPath(path string) (int, error) {
	real, err := openPath(path)
	if err != nil {
		return -1, err
	}
	clone, err := hostfs.OpenTreeClone(path)
	if err != nil {
		return real, nil
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOATIME, Attr_clr: unix.MOUNT_ATTR__ATIME}
	if unix.MountSetattr(clone, "", unix.AT_EMPTY_PATH, &attr) != nil {
		hostfs.Close(clone)
		return real, nil
	}
	hostfs.Close(real)
	return clone, nil
}

func (u *Union) newLayer(i int, path string, fd int) (*layer, error) {
	var st unix.Statx_t
	if err := hostfs.Statx(fd, "", &st); err != nil {
		return nil, err
	}
	l := &layer{index: i, path: path, fd: fd, dev: devOf(&st)}
	l.fs = u.inos.addFD(fd, l.dev)
	l.root = &dirRef{layer: l}
	marks, err := whiteout.ReadDirMarks(fd, "")
	l.root.xwhiteouts = marks.XWhiteouts
	return l, err
}

// layerError says in words why a directory can't be used.
func layerError(option, path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%s=%s: no such directory", option, path)
	case errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%s=%s: not a directory", option, path)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s=%s: permission denied: uid %d can't read it", option, path, unix.Geteuid())
	}
	return fmt.Errorf("%s=%s: %w", option, path, err)
}

func (u *Union) openUpper() error {
	upper, workPath := u.cfg.Upper, u.cfg.Work
	if workPath == "" {
		return errors.New("upperdir=" + upper + " needs workdir=: an empty directory on the same file system")
	}
	if err := u.checkNesting(); err != nil {
		return err
	}
	fd, err := openPath(upper)
	if err != nil {
		return layerError("upperdir", upper, err)
	}
	u.upper, err = u.newLayer(int(topUpper), upper, fd)
	if err != nil {
		hostfs.Close(fd)
		return layerError("upperdir", upper, err)
	}
	if unix.Faccessat(fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) == unix.EROFS {
		return fmt.Errorf("upperdir=%s: it is on a read-only file system", upper)
	}
	u.work, err = openWork(u, workPath)
	return err
}

func openPath(path string) (int, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return fd, err
}

// checkNesting refuses directories inside each other, as the kernel does
// (ovl_check_layer): what is written to one would change the other.
func (u *Union) checkNesting() error {
	upper, err := realPath("upperdir", u.cfg.Upper)
	if err != nil {
		return err
	}
	workPath, err := realPath("workdir", u.cfg.Work)
	if err != nil {
		return err
	}
	if inside(upper, workPath) || inside(workPath, upper) {
		return fmt.Errorf("workdir=%s and upperdir=%s must be separate directories, neither inside the other", u.cfg.Work, u.cfg.Upper)
	}
	for _, lower := range u.cfg.Lower {
		l, err := realPath("lowerdir", lower)
		if err != nil {
			return err
		}
		for _, own := range [...]struct{ option, path, real string }{{"upperdir", u.cfg.Upper, upper}, {"workdir", u.cfg.Work, workPath}} {
			// "/" and the like as a lower hold everything: overlayfs refuses too.
			if inside(own.real, l) {
				return fmt.Errorf("%s=%s is inside lowerdir=%s: changes would show twice; choose a place outside the layer", own.option, own.path, lower)
			}
			if inside(l, own.real) {
				return fmt.Errorf("lowerdir=%s is inside %s=%s: a layer must stay outside", lower, own.option, own.path)
			}
		}
	}
	return nil
}

func realPath(option, path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", layerError(option, path, err)
	}
	// What is reached through /proc/self/fd may be in no tree, or in one that
	// names don't lead to: it is inside nothing then.
	var named, given unix.Stat_t
	if unix.Stat(abs, &named) == nil && unix.Stat(path, &given) == nil && (named.Dev != given.Dev || named.Ino != given.Ino) {
		return filepath.Clean(path), nil
	}
	return abs, nil
}

// inside tells whether path is dir or below it.
func inside(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
