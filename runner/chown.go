package runner

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// systemDirs are directories of a machine that are given to nobody, nor is
// anything below those in systemTrees.
var (
	systemDirs = []string{
		"/", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var", "/var/lib", "/var/log", "/var/run", "/var/tmp",
	}
	systemTrees = []string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr"}
)

// mayGiveAway refuses to give parts of the system to a container's user.
func mayGiveAway(source string) error {
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return err
	}
	system := slices.Contains(systemDirs, real) || slices.ContainsFunc(systemTrees, func(tree string) bool {
		return real == tree || strings.HasPrefix(real, tree+"/")
	})
	if system {
		return fmt.Errorf("%s is part of the system: U would give all of it to the container's user", real)
	}
	return nil
}

// giveTo gives a file, or all that is in a directory, to an owner. Symlinks
// aren't followed, and other file systems not entered. It makes bare calls, as
// readIn does: the directory may be served by this process.
func giveTo(place string, uid, gid uint32) error {
	fd, err := unix.Open(place, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: place, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	g := giver{int(uid), int(gid), st.Dev}
	return g.give(fd, "", place)
}

type giver struct {
	uid, gid int
	dev      uint64
}

// give takes a name in a directory, or "" for what the descriptor itself is.
func (g *giver) give(dir int, name, place string) error {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, flags)
	switch {
	case err == unix.ENOENT && name != "":
		return nil // removed meanwhile
	case err != nil:
		return &os.PathError{Op: "stat", Path: place, Err: err}
	case st.Dev != g.dev:
		return nil
	}
	if int(st.Uid) != g.uid || int(st.Gid) != g.gid {
		if err := unix.Fchownat(dir, name, g.uid, g.gid, flags); err != nil {
			return &os.PathError{Op: "chown", Path: place, Err: err}
		}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if name == "" {
		name = "."
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: place, Err: err}
	}
	defer unix.Close(fd)
	names, err := namesIn(fd)
	if err != nil {
		return &os.PathError{Op: "list", Path: place, Err: err}
	}
	for _, entry := range names {
		if err := g.give(fd, entry, path.Join(place, entry)); err != nil {
			return err
		}
	}
	return nil
}
