package runner

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symlinks a path may lead through (path_resolution(7)).
const maxLinks = 40

// resolveBelow is a path beneath a root with all its symlinks followed, also the last
// one, and also where it leads to what isn't there. What leads in circles stays as it
// is: to open it fails.
func resolveBelow(root int, name string) string {
	todo, at, links := strings.Split(path.Clean("/"+name), "/"), "/", 0
	for len(todo) > 0 {
		word := todo[0]
		todo = todo[1:]
		at = path.Join(at, word)
		target := linkBelow(root, at)
		if target == "" {
			continue
		}
		if links++; links > maxLinks {
			return name
		}
		if at = path.Dir(at); path.IsAbs(target) {
			at = "/"
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return at
}

// linkBelow reads a symlink; what is none has no target.
func linkBelow(root int, name string) string {
	fd, err := openBelow(root, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", target)
	if err != nil {
		return ""
	}
	return string(target[:n])
}
