package sandbox

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// cloneFlags are the kinds' flags, in the order in which existing ones are
// entered: the user namespace first, since it brings the right to enter the
// others, and that of mounts last, since paths mean something else behind it.
var cloneFlags = []struct {
	kind NamespaceType
	flag uintptr
}{
	{UserNS, unix.CLONE_NEWUSER},
	{IPCNS, unix.CLONE_NEWIPC},
	{UTSNS, unix.CLONE_NEWUTS},
	{NetNS, unix.CLONE_NEWNET},
	{PIDNS, unix.CLONE_NEWPID},
	{CgroupNS, unix.CLONE_NEWCGROUP},
	{MountNS, unix.CLONE_NEWNS},
}

// namespace finds the entry of a kind.
func (s *Spec) namespace(kind NamespaceType) (n Namespace, ok bool) {
	i := slices.IndexFunc(s.Namespaces, func(n Namespace) bool { return n.Type == kind })
	if i < 0 {
		return n, false
	}
	return s.Namespaces[i], true
}

// isNew says that the sandbox has its own namespace of a kind.
func (s *Spec) isNew(kind NamespaceType) bool {
	n, ok := s.namespace(kind)
	return ok && n.Path == ""
}

func (s *Spec) checkNamespaces() error {
	seen := map[NamespaceType]bool{}
	for _, n := range s.Namespaces {
		if !slices.ContainsFunc(cloneFlags, func(f struct {
			kind NamespaceType
			flag uintptr
		}) bool {
			return f.kind == n.Type
		}) {
			return fmt.Errorf("there is no kind of namespace %q", n.Type)
		}
		if seen[n.Type] {
			return fmt.Errorf("the %s namespace is named twice", n.Type)
		}
		seen[n.Type] = true
	}
	if !s.isNew(MountNS) {
		return fmt.Errorf("a sandbox needs a mount namespace of its own (%q among its namespaces, without a path)", MountNS)
	}
	return nil
}

func namespaceSteps(s *Spec) []Step {
	var made, entered []string
	for _, f := range cloneFlags {
		switch n, ok := s.namespace(f.kind); {
		case !ok:
		case n.Path == "":
			made = append(made, string(f.kind))
		default:
			entered = append(entered, fmt.Sprintf("%s (%s)", f.kind, n.Path))
		}
	}
	text := "new: " + strings.Join(made, " ")
	if len(entered) > 0 {
		text += "; entered: " + strings.Join(entered, " ")
	}
	steps := []Step{outside("namespaces", text, (*builder).fork)}
	if s.isNew(UserNS) {
		steps = append(steps, outside("ids", s.IDMaps.String(), (*builder).mapIDs))
	}
	if s.Process.OOMScoreAdj != nil {
		steps = append(steps, oomStep(*s.Process.OOMScoreAdj))
	}
	steps = append(steps, outside("begin", "cgroup joined, control handed to the inside", (*builder).begin))
	if s.isNew(CgroupNS) && !s.Init {
		steps = append(steps, within("namespaces", "new: cgroup", (*inside).makeCgroupNamespace))
	}
	return steps
}

// makeCgroupNamespace is for the thread that becomes the program.
func (in *inside) makeCgroupNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("a cgroup namespace: %w", err)
	}
	return nil
}

// newFlags are the flags for clone(2). A cgroup namespace isn't among them: its
// root is the cgroup of the moment, so that it is made once that was joined.
func (s *Spec) newFlags() (flags uintptr) {
	for _, f := range cloneFlags {
		if s.isNew(f.kind) && f.kind != CgroupNS {
			flags |= f.flag
		}
	}
	return flags
}

// openNamespaces opens those that are entered.
func (s *Spec) openNamespaces() (files map[NamespaceType]*os.File, err error) {
	files = map[NamespaceType]*os.File{}
	for _, n := range s.Namespaces {
		if n.Path == "" {
			continue
		}
		f, err := os.Open(n.Path)
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("the %s namespace to enter: %w", n.Type, err)
		}
		files[n.Type] = f
	}
	return files, nil
}

func closeAll[K comparable](files map[K]*os.File) {
	for _, f := range files {
		f.Close()
	}
}
