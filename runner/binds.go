package runner

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"

	"unionfs/runner/sandbox"
)

// storage is all that the spec mounts, also that of containers made when there
// were binds and tmpfs alone.
func (s *Spec) storage() []Mount {
	out := slices.Clone(s.Mounts)
	for _, b := range s.Binds {
		out = append(out, b.mount(BindMount))
	}
	for _, b := range s.Tmpfs {
		out = append(out, b.mount(TmpfsMount))
	}
	return out
}

func (b *Bind) mount(kind MountType) Mount {
	m := Mount{Type: kind, Source: b.Source, Target: b.Target, CopyUp: kind == TmpfsMount}
	for _, word := range b.Options {
		switch {
		case word == "ro":
			m.ReadOnly = true
		case slices.Contains(propagations, word):
			m.Propagation = word
		default:
			m.Attributes = append(m.Attributes, word)
		}
	}
	return m
}

// mounts are what the spec mounts as a sandbox is told. Where Fd is to come
// from stands in Source, for people to read.
func (s *Spec) mounts() []sandbox.Mount {
	var out []sandbox.Mount
	for _, m := range s.storage() {
		out = append(out, m.plan(s.Privileged))
	}
	return out
}

func (m *Mount) plan(privileged bool) sandbox.Mount {
	out := sandbox.Mount{Type: "bind", Source: m.Source, Target: m.Target, Options: m.options(privileged)}
	switch m.Type {
	case TmpfsMount:
		out.Type, out.Source, out.CopyUp = "tmpfs", "tmpfs", m.CopyUp
	case VolumeMount:
		out.Source = "volume " + m.Source
	case ImageMount:
		out.Source, out.Subpath = "image "+m.Source, m.Subpath
	}
	return out
}

// options are the words of mount(8) for a mount.
func (m *Mount) options(privileged bool) []string {
	var out []string
	switch {
	case m.Type == TmpfsMount:
		out = append(out, "nosuid", "nodev", "noexec")
	case m.Type == BindMount && m.Recursion != RecursionDisabled:
		out = append(out, "rbind")
	default:
		out = append(out, "bind")
	}
	if m.Propagation == "" {
		out = append(out, "rprivate")
	} else {
		out = append(out, m.Propagation)
	}
	out = append(out, m.access()...)
	// Who may make nodes must not get to the machine's disks by them: what a
	// container may use is in its /dev. A node that is mounted by its own name
	// was meant to be used.
	if m.Type != TmpfsMount && !privileged && !slices.Contains(m.Attributes, "dev") && !isNode(m.Source) {
		out = append(out, "nodev", "rnodev")
	}
	return append(out, m.Attributes...)
}

func (m *Mount) access() []string {
	switch {
	case m.Type == ImageMount && !m.Writable:
		return []string{"ro"}
	case !m.ReadOnly:
		return nil
	case m.Type != BindMount || m.Recursion == RecursionWritable || m.Recursion == RecursionDisabled:
		return []string{"ro"}
	}
	return []string{"ro", "rro"} // docker's, since 25
}

func isNode(source string) bool {
	fi, err := os.Stat(source)
	return err == nil && fi.Mode()&os.ModeDevice != 0
}

// checkStorage makes sources absolute and refuses places that can't be.
func (s *Spec) checkStorage() error {
	for i := range s.Binds {
		abs, err := filepath.Abs(s.Binds[i].Source)
		if err != nil {
			return err
		}
		s.Binds[i].Source = abs
	}
	taken := map[string]bool{}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if err := m.check(); err != nil {
			return err
		}
		if taken[path.Clean(m.Target)] {
			return fmt.Errorf("two mounts are asked for at %s: one place takes one", path.Clean(m.Target))
		}
		taken[path.Clean(m.Target)] = true
		if m.Type == BindMount {
			abs, err := filepath.Abs(m.Source)
			if err != nil {
				return err
			}
			m.Source = abs
		}
	}
	for _, b := range append(slices.Clone(s.Binds), s.Tmpfs...) {
		if err := checkTarget(b.Target); err != nil {
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
