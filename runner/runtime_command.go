package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// runtimeCommand is another runtime, with one container that it has. Its words
// are those of runc, which all have.
type runtimeCommand struct {
	Path string `json:"path"`
	ID   string `json:"id"`
	// Dir is the bundle's, and has the runtime's state as well.
	Dir string `json:"dir"`
}

// findRuntime finds runc, crun, or what is at a path.
func findRuntime(word string) (string, error) {
	path, err := exec.LookPath(word)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fmt.Errorf("--runtime=%s: there is no such program: install it (runc and crun are Debian's), or leave --runtime out", word)
	case err != nil:
		return "", fmt.Errorf("--runtime=%s: %w", word, err)
	}
	return filepath.Abs(path)
}

// command is one of its commands. What it has to say goes to a log, away from the
// container's streams.
func (r *runtimeCommand) command(log string, words ...string) *exec.Cmd {
	return exec.Command(r.Path, append([]string{"--root", filepath.Join(r.Dir, "state"), "--log", log, "--log-format", "json"}, words...)...)
}

// run runs a command that prints nothing when it succeeds.
func (r *runtimeCommand) run(words ...string) error {
	log := filepath.Join(r.Dir, words[0]+".log")
	_ = os.Remove(log) // an earlier command's
	cmd := r.command(log, words...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	failed := r.failure(log, words[0], err)
	var f *runtimeError
	if errors.As(failed, &f) && f.words == "" {
		f.words = firstLine(said.Bytes())
	}
	return failed
}

// delete takes the container away with all its processes; why is passed on. One
// that isn't there is fine.
func (r *runtimeCommand) delete(why error) error {
	if _, err := os.Stat(filepath.Join(r.Dir, "state", r.ID)); errors.Is(err, os.ErrNotExist) {
		return why
	}
	return errors.Join(why, r.run("delete", "--force", r.ID))
}

// runtimeError is a command of a runtime that failed.
type runtimeError struct {
	runtime, command, words string
	err                     error
}

func (e *runtimeError) Error() string {
	if e.words == "" {
		return fmt.Sprintf("%s %s: %v", e.runtime, e.command, e.err)
	}
	words := strings.TrimPrefix(e.words, e.runtime+" "+e.command+" failed: ") // runc's
	return fmt.Sprintf("%s %s: %s", e.runtime, e.command, words)
}

func (e *runtimeError) Unwrap() error { return e.err }

// code is docker's exit status for it, which is found in the words as docker
// finds it: runtimes have no other way to say why.
func (e *runtimeError) code() int {
	words := strings.ToLower(e.words)
	has := func(all ...string) bool {
		for _, word := range all {
			if strings.Contains(words, word) {
				return true
			}
		}
		return false
	}
	switch {
	case !has("exec"):
		return 125
	case has("executable file not found", "executable file `", "no such file or directory"):
		return 127
	case has("permission denied", "not a directory", "is a directory", "exec format error", "open executable: operation not permitted"):
		return 126
	}
	return 125
}

// failure is what a command's end says, with the last error of its log.
func (r *runtimeCommand) failure(log, command string, err error) error {
	if err == nil {
		return nil
	}
	f := &runtimeError{runtime: filepath.Base(r.Path), command: command, err: err}
	text, rerr := os.ReadFile(log)
	if rerr != nil {
		return f
	}
	for line := range bytes.Lines(text) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg != "" && (entry.Level == "error" || entry.Level == "fatal") {
			f.words = entry.Msg
		}
	}
	return f
}
