package sandbox

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func executeSteps(p *Process) []Step {
	return []Step{program("execute", strings.Join(p.Args, " "), func(in *inside) ([]call, error) {
		return executeCalls(p)
	})}
}

// executeCalls try each place of PATH with execve itself, as execvp(3) does:
// what the user may execute is for the kernel to say.
func executeCalls(p *Process) (calls []call, err error) {
	argv, err := cstrings(p.Args)
	if err != nil {
		return nil, fmt.Errorf("the arguments: %w", err)
	}
	envp, err := cstrings(p.Env)
	if err != nil {
		return nil, fmt.Errorf("the environment: %w", err)
	}
	for _, name := range candidates(p.Args[0], searchPath(p.Env)) {
		path, err := cstring(name)
		if err != nil {
			return nil, err
		}
		c := newCall("execute", unix.SYS_EXECVE, pointer(path), pointer(&argv[0]), pointer(&envp[0])).keeping(path, argv, envp)
		c.kind = tryExec
		calls = append(calls, c)
	}
	return calls, nil
}

// searchPath is PATH of the program's own environment.
func searchPath(env []string) string {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "PATH="); ok {
			return value
		}
	}
	return defaultPath
}

func candidates(name, search string) (out []string) {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	for _, dir := range strings.Split(search, ":") {
		if dir == "" {
			dir = "."
		}
		out = append(out, path.Join(dir, name))
	}
	return out
}

// executeError is docker's: 127 for what isn't there, 126 for what can't be
// executed.
func executeError(name string, errno unix.Errno) *StartError {
	code, why := 126, error(errno)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		code = 127
		why = fmt.Errorf("no such file or directory (or the interpreter that it names isn't there): %w", errno)
		if !strings.Contains(name, "/") {
			why = fmt.Errorf("not found in $PATH: %w", errno)
		}
	case unix.EACCES:
		why = fmt.Errorf("not executable: %w", errno)
	case unix.ENOEXEC:
		why = fmt.Errorf("%w (is it for this machine? does a script begin with #! ?)", errno)
	}
	return &StartError{Code: code, Step: "execute", Err: fmt.Errorf("%s: %w", name, why)}
}

func (p *Process) check() error {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return errors.New("there is no program to run")
	}
	if p.Dir != "" && !path.IsAbs(p.Dir) {
		return fmt.Errorf("the working directory %q isn't an absolute path", p.Dir)
	}
	if _, err := capabilityNumbers(p.Capabilities); err != nil {
		return err
	}
	return checkRlimits(p.Rlimits)
}
