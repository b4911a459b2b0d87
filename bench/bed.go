package bench

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Bed is one fresh place for one run of a workload.
type Bed struct {
	ctx context.Context
	// root is what the target shows.
	root string
	// scratch is a folder outside the mount.
	scratch string
	lowers  []string
	// files are the paths of fixtures by name.
	files map[string]string
	sizes Sizes
	// self starts our own program as a worker's helper.
	self []string
	// oneID says that files can't be given to other users here.
	oneID  bool
	engine *Engine
	// mount mounts root, for workloads that measure that.
	mount func() error
	// serverMemory is what the server keeps resident, in bytes.
	serverMemory func() int64
	// value is the measure when it isn't the time that run took.
	value *float64
	extra map[string]float64
}

func (b *Bed) path(elem ...string) string {
	return filepath.Join(append([]string{b.root}, elem...)...)
}

func (b *Bed) size(name string) int { return b.sizes[name] }

// measured reports a measure that isn't the time of the whole run.
func (b *Bed) measured(v float64) { b.value = &v }

func (b *Bed) note(name string, v float64) {
	if b.extra == nil {
		b.extra = map[string]float64{}
	}
	b.extra[name] = v
}

// command is a tool that works in the mount.
func (b *Bed) command(argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, argv[0], argv[1:]...)
	cmd.Dir = b.root
	return cmd
}

// tool runs a tool; what it printed is told when it fails.
func (b *Bed) tool(argv ...string) error { return runTool(b.command(argv...)) }

// shell runs a line of shell with arguments $1, $2 ….
func (b *Bed) shell(script string, args ...string) error {
	return b.tool(append([]string{"sh", "-euc", script, "sh"}, args...)...)
}

func runTool(cmd *exec.Cmd) error {
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w%s", abbreviate(strings.Join(cmd.Args, " "), 120), err, tail(said.String()))
	}
	return nil
}

// tail is the end of what a program said, on a line of its own.
func tail(said string) string {
	said = strings.TrimSpace(said)
	if said == "" {
		return ""
	}
	lines := strings.Split(said, "\n")
	return ": " + strings.Join(lines[max(0, len(lines)-3):], " | ")
}

func abbreviate(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
