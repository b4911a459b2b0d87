package hostfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// pathMax is PATH_MAX less the NUL: the longest path of one system call.
const pathMax = 4095

// OpenDir opens the directory at path below dirfd, O_PATH, without following a
// symlink anywhere on the way. A path that is absolute or has a ".." is EXDEV,
// which is what openat2(2) with RESOLVE_BENEATH says of a path that escapes.
// Paths of any length work.
func OpenDir(dirfd int, path string) (int, error) {
	return openBeneath(dirfd, path, unix.O_PATH|unix.O_DIRECTORY)
}

// openBeneath opens a directory at a path of any length.
func openBeneath(dirfd int, path string, flags int) (int, error) {
	if path == "" {
		return Reopen(dirfd, flags)
	}
	if escapes(path) {
		return -1, unix.EXDEV
	}
	at, owned := dirfd, false
	for {
		chunk, rest := splitChunk(path)
		step := flags
		if rest != "" {
			step = unix.O_PATH | unix.O_DIRECTORY
		}
		fd, err := openChunk(at, chunk, step)
		if owned {
			Close(at)
		}
		if err != nil || rest == "" {
			return fd, err
		}
		at, owned, path = fd, true, rest
	}
}

// openChunk opens a path that fits into one system call.
func openChunk(dirfd int, path string, flags int) (int, error) {
	if hasOpenat2.present() {
		return openat2(dirfd, path, flags|unix.O_NOFOLLOW,
			unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)
	}
	return openStepwise(dirfd, path, flags)
}

// openStepwise does openat2's work with one openat for each component.
func openStepwise(dirfd int, path string, flags int) (int, error) {
	at, owned := dirfd, false
	for {
		name, rest, _ := strings.Cut(path, "/")
		rest = strings.TrimLeft(rest, "/")
		step := flags
		if rest != "" {
			step = unix.O_PATH | unix.O_DIRECTORY
		}
		fd, err := Open(at, name, step, 0)
		if err == unix.ENOTDIR && rest != "" && isSymlink(at, name) {
			err = unix.ELOOP // as RESOLVE_NO_SYMLINKS does in mid-path
		}
		if owned {
			Close(at)
		}
		if err != nil || rest == "" {
			return fd, err
		}
		at, owned, path = fd, true, rest
	}
}

func isSymlink(dirfd int, name string) bool {
	var st unix.Statx_t
	return Statx(dirfd, name, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK
}

// escapes tells whether path could leave the directory it starts from.
func escapes(path string) bool {
	if strings.HasPrefix(path, "/") {
		return true
	}
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		if name == ".." {
			return true
		}
	}
	return false
}

// splitChunk cuts path at a slash so that the first part fits into one call. A
// component longer than that is left whole: the kernel says ENAMETOOLONG.
func splitChunk(path string) (chunk, rest string) {
	if len(path) <= pathMax {
		return path, ""
	}
	cut := strings.LastIndexByte(path[:pathMax+1], '/')
	if cut <= 0 {
		return path, ""
	}
	return path[:cut], strings.TrimLeft(path[cut:], "/")
}
