package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is the kernel's limit (namei.c, MAXSYMLINKS).
const maxLinks = 40

// resolve opens (O_PATH) what a path means for a process whose root is root:
// no symlink and no ".." leads out of it, whatever others do to the tree
// meanwhile.
func resolve(root int, name string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for range 100 {
		fd, err := unix.Openat2(root, relative(name), &how)
		switch err {
		case unix.EAGAIN, unix.EINTR: // something was renamed meanwhile (openat2(2))
			continue
		case unix.ENOSYS, unix.EPERM: // before Linux 5.6, or a filter that doesn't know it
			return walk(root, name, nil)
		}
		return fd, pathError(err, name)
	}
	return walk(root, name, nil)
}

// resolveNew is resolve, and makes what is missing: directories on the way,
// and what make says at the end.
func resolveNew(root int, name string, last func(dir int, name string) error) (int, error) {
	fd, err := resolve(root, name)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	return walk(root, name, last)
}

func makeDir(dir int, name string) error { return unix.Mkdirat(dir, name, 0o755) }

func makeFile(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func relative(name string) string {
	if name = strings.TrimLeft(name, "/"); name == "" {
		return "."
	}
	return name
}

func pathError(err error, name string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", name, err)
}

// walker goes a path component by component. Every directory on the way stays
// open, so that ".." is the one it came from and nothing else.
type walker struct {
	root  int
	above []int // the directories from the root to here
	rest  []string
	links int
}

// walk resolves without openat2. make makes the last component when it isn't
// there; nil makes nothing.
func walk(root int, name string, last func(dir int, name string) error) (int, error) {
	w := &walker{root: root, rest: components(name)}
	defer w.leave()
	for len(w.rest) > 0 {
		if err := w.step(last); err != nil {
			return -1, pathError(err, name)
		}
	}
	fd, err := unix.FcntlInt(uintptr(w.here()), unix.F_DUPFD_CLOEXEC, 3)
	return fd, pathError(err, name)
}

func components(name string) (out []string) {
	for _, c := range strings.Split(name, "/") {
		if c != "" && c != "." {
			out = append(out, c)
		}
	}
	return out
}

func (w *walker) here() int {
	if len(w.above) == 0 {
		return w.root
	}
	return w.above[len(w.above)-1]
}

func (w *walker) up() {
	if len(w.above) > 0 {
		unix.Close(w.here())
		w.above = w.above[:len(w.above)-1]
	}
}

func (w *walker) leave() {
	for len(w.above) > 0 {
		w.up()
	}
}

func (w *walker) step(last func(dir int, name string) error) error {
	name := w.rest[0]
	w.rest = w.rest[1:]
	if name == ".." {
		w.up()
		return nil
	}
	fd, err := w.open(name, last)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		defer unix.Close(fd)
		return w.follow(fd)
	case st.Mode&unix.S_IFMT != unix.S_IFDIR && len(w.rest) > 0:
		unix.Close(fd)
		return unix.ENOTDIR
	}
	w.above = append(w.above, fd)
	return nil
}

// open opens a component, which it makes when it may.
func (w *walker) open(name string, last func(dir int, name string) error) (int, error) {
	flags := unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Openat(w.here(), name, flags, 0)
	if err != unix.ENOENT || last == nil {
		return fd, err
	}
	create := makeDir
	if len(w.rest) == 0 {
		create = last
	}
	if err := create(w.here(), name); err != nil && err != unix.EEXIST {
		return -1, err
	}
	return unix.Openat(w.here(), name, flags, 0)
}

// follow puts a symlink's words in front of what is left.
func (w *walker) follow(fd int) error {
	if w.links++; w.links > maxLinks {
		return unix.ELOOP
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return err
	}
	target := string(buf[:n])
	if isMagic(fd, target) {
		return unix.ELOOP // what openat2 says with RESOLVE_NO_MAGICLINKS
	}
	if path.IsAbs(target) {
		w.leave()
	}
	w.rest = append(components(target), w.rest...)
	return nil
}

// isMagic tells links of procfs that are no paths, such as /proc/self/fd/3: what
// they read as is the path of something, or its kind and number.
func isMagic(fd int, target string) bool {
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC &&
		(path.IsAbs(target) || strings.Contains(target, ":["))
}
