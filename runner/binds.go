package runner

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"unionfs/runner/sandbox"
)

// mounts are the binds and file systems in memory that the spec asks for.
func (s *Spec) mounts() ([]sandbox.Mount, error) {
	var out []sandbox.Mount
	for _, b := range s.Binds {
		if _, err := os.Lstat(b.Source); err != nil {
			return nil, fmt.Errorf("bind %s:%s: the source isn't there: make it first", b.Source, b.Target)
		}
		options := append([]string{"rbind", "rprivate"}, b.Options...)
		out = append(out, sandbox.Mount{Type: "bind", Source: b.Source, Target: b.Target, Options: options})
	}
	for _, t := range s.Tmpfs {
		options := append([]string{"nosuid", "nodev"}, t.Options...)
		out = append(out, sandbox.Mount{Type: "tmpfs", Source: "tmpfs", Target: t.Target, Options: options, CopyUp: true})
	}
	return out, nil
}

// checkBinds makes sources absolute and refuses places that can't be.
func (s *Spec) checkBinds() error {
	for i := range s.Binds {
		b := &s.Binds[i]
		abs, err := filepath.Abs(b.Source)
		if err != nil {
			return err
		}
		b.Source = abs
		if err := checkTarget(b.Target); err != nil {
			return err
		}
	}
	for _, t := range s.Tmpfs {
		if err := checkTarget(t.Target); err != nil {
			return err
		}
	}
	return nil
}

func checkTarget(target string) error {
	if !path.IsAbs(target) {
		return fmt.Errorf("%q is no place in a container: an absolute path is expected", target)
	}
	if path.Clean(target) == "/" {
		return fmt.Errorf("%q can't be mounted over: it is the root of the container", target)
	}
	return nil
}
