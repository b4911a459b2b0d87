package runner

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/runner/sandbox"
)

// defaultPath is docker's.
const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// command is what a container runs: docker's rules for entrypoint and command.
func (s *Spec) command(img *v1.Config) ([]string, error) {
	entry, args := img.Entrypoint, s.Args
	switch {
	case s.Entrypoint != nil:
		entry = *s.Entrypoint
	case len(args) == 0:
		args = img.Cmd
	}
	all := append(slices.Clone(entry), args...)
	if len(all) == 0 {
		if s.Rootfs != "" {
			return nil, errors.New("no command: a directory names none, so say one behind it")
		}
		return nil, errors.New("no command: the image names none, so say one behind the image")
	}
	return all, nil
}

// environment is the image's with the spec's above it; the last of a name wins.
func (s *Spec) environment(img *v1.Config, id identity, hostname string, f Facts) []string {
	env := []string{defaultPath, "HOSTNAME=" + hostname, "HOME=" + id.home}
	if f.SingleID {
		env = append(env, "APT_CONFIG="+aptConfigPath)
	}
	if s.TTY {
		env = append(env, "TERM=xterm")
	}
	for _, word := range s.variables(img.Env) {
		env = SetEnv(env, word)
	}
	return env
}

// variables are the image's that aren't left out, and the spec's behind them.
func (s *Spec) variables(image []string) []string {
	out := slices.DeleteFunc(slices.Clone(image), func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return s.UnsetEnvAll || slices.Contains(s.UnsetEnv, name)
	})
	return append(out, s.Env...)
}

// SetEnv puts NAME=VALUE into an environment, in the place of what has the name. It
// may write into env's own array.
func SetEnv(env []string, word string) []string {
	name, _, _ := strings.Cut(word, "=")
	if i := slices.IndexFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") }); i >= 0 {
		env[i] = word
		return env
	}
	return append(env, word)
}

func (s *Spec) process(img *v1.Config, a Accounts, f Facts, hostname string) (sandbox.Process, error) {
	who := s.User
	if kept, ok := s.keptUser(f); ok && who == "" {
		who = kept
	}
	if who == "" {
		who = img.User
	}
	id, err := a.resolve(who, s.Groups)
	if err != nil {
		return sandbox.Process{}, err
	}
	if f.SingleID {
		if id, err = s.alone(id); err != nil {
			return sandbox.Process{}, err
		}
	}
	args, err := s.command(img)
	if err != nil {
		return sandbox.Process{}, err
	}
	caps, err := s.capabilities()
	if err != nil {
		return sandbox.Process{}, err
	}
	limits, err := s.Limits()
	if err != nil {
		return sandbox.Process{}, err
	}
	seccomp, err := s.seccomp(f)
	if err != nil {
		return sandbox.Process{}, err
	}
	dir := img.WorkingDir
	if s.Dir != "" {
		dir = s.Dir
	}
	return sandbox.Process{
		Args: args, Env: s.environment(img, id, hostname, f), Dir: path.Join("/", dir), TTY: s.TTY,
		UID: id.uid, GID: id.gid, Groups: id.groups, Umask: s.Umask,
		Capabilities: caps,
		// Without privilege on the machine nobody in the container gains any
		// by setuid programs beyond the user namespace's: they stay of use.
		NoNewPrivs: s.NoNewPrivs,
		Seccomp:    seccomp, Rlimits: limits, OOMScoreAdj: s.Resources.OOMScoreAdj,
	}, nil
}

// seccomp is the container's filter, nil for none.
func (s *Spec) seccomp(f Facts) ([]byte, error) {
	profile, err := s.seccompProfile(f)
	if err != nil || !f.SingleID || !f.Seccomp {
		return profile, err
	}
	return withoutIDs(profile)
}

func (s *Spec) seccompProfile(f Facts) ([]byte, error) {
	switch {
	case s.Seccomp == "unconfined" || s.Privileged && s.Seccomp == "":
		return nil, nil
	case !f.Seccomp && s.Seccomp != "":
		return nil, errors.New("--security-opt seccomp: this kernel knows no filters (CONFIG_SECCOMP_FILTER)")
	case !f.Seccomp:
		return nil, nil
	case s.Seccomp == "":
		return sandbox.DefaultSeccomp(), nil
	}
	return []byte(s.Seccomp), nil
}

// Limits reads NAME=SOFT[:HARD]; -1 is no limit.
func (s *Spec) Limits() ([]sandbox.Rlimit, error) {
	var out []sandbox.Rlimit
	for _, word := range s.Ulimits {
		name, value, ok := strings.Cut(word, "=")
		softWord, hardWord, both := strings.Cut(value, ":")
		if !both {
			hardWord = softWord
		}
		soft, err := limitNumber(softWord)
		hard, herr := limitNumber(hardWord)
		if !ok || name == "" || err != nil || herr != nil {
			return nil, fmt.Errorf("--ulimit=%s: NAME=SOFT[:HARD] is expected, as in nofile=1024:4096", word)
		}
		if soft > hard {
			return nil, fmt.Errorf("--ulimit=%s: the soft limit is above the hard one", word)
		}
		limit := sandbox.Rlimit{Name: strings.ToLower(name), Soft: soft, Hard: hard}
		// The last of a name counts; a lower hard limit couldn't be raised again.
		out = append(slices.DeleteFunc(out, func(old sandbox.Rlimit) bool { return old.Name == limit.Name }), limit)
	}
	return out, nil
}

func limitNumber(word string) (uint64, error) {
	if word == "-1" || word == "unlimited" {
		return ^uint64(0), nil
	}
	return strconv.ParseUint(word, 10, 64)
}

// CommandLine is what the spec says is run, without the image's part.
func (s *Spec) CommandLine() []string {
	if s.Entrypoint != nil {
		return append(slices.Clone(*s.Entrypoint), s.Args...)
	}
	return s.Args
}
