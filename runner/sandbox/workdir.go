package sandbox

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func workdirSteps(p *Process, create bool) []Step {
	dir := p.Dir
	if dir == "" {
		dir = "/"
	}
	return []Step{within("directory", dir, func(in *inside) error { return in.enter(dir, create) })}
}

// enter makes and enters the working directory. It must be one that the root
// leads to: /proc/self/fd/7 could be the host's (CVE-2024-21626).
func (in *inside) enter(dir string, create bool) error {
	var last func(int, string) error
	if create {
		last = makeDir
	}
	fd, err := resolveNew(in.root, dir, last)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fchdir(fd); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Getcwd(buf)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	// The kernel puts "(unreachable)" before what the root doesn't lead to
	// (getcwd(2)).
	if n == 0 || buf[0] != '/' {
		return fmt.Errorf("%s: %w", dir, errOutside)
	}
	return nil
}

var errOutside = errors.New("the directory is outside of the sandbox's root")
