package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what is measured, where, and how often.
type Options struct {
	// Work is the folder for fixtures, which stay, and runs, which don't.
	Work string
	// Lower is a tree to take instead of making one; Generate makes one up.
	Lower    string
	Generate bool
	// Release and Mirror say which Debian.
	Release, Mirror string
	// Package is a .deb to install instead of fetching one.
	Package   string
	Targets   []Target
	Workloads []Workload
	// Base is the target that the others are compared with.
	Base   string
	Repeat int
	Sizes  Sizes
	// Patience is the time that one run may take.
	Patience time.Duration
	// Worker is the command line that calls Work; with a word more, Help.
	Worker []string
	// Progress gets a line for each run.
	Progress io.Writer
	// Version is our own, for the report.
	Version string
}

// cell is what there is to know of one workload on one target.
type cell struct {
	workload Workload
	target   Target
	samples  []Sample
	refused  string
	failed   string
}

type runner struct {
	*Options
	shed  *shed
	runs  int
	oneID bool
	root  bool
}

// Run measures. An interrupted run reports what it has, with the error.
func Run(ctx context.Context, o *Options) (*Report, error) {
	r := &runner{Options: o, oneID: singleID(), root: realRoot()}
	var err error
	if o.Work, err = filepath.Abs(o.Work); err != nil {
		return nil, err
	}
	if r.shed, err = newShed(o, r.say); err != nil {
		return nil, err
	}
	unlock, err := r.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	for _, step := range []func() error{r.clear, adoptOrphans} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	defer func() { _ = r.clear() }() // each run removed its own already
	if _, err := r.shed.get(ctx, "base"); err != nil {
		return nil, err
	}
	report := newReport(o, machineAt(o.Work), time.Now())
	for _, w := range o.Workloads {
		if ctx.Err() != nil {
			break
		}
		report.add(w, r.workload(ctx, w))
	}
	report.finish(time.Now())
	return report, ctx.Err()
}

// lock keeps a second bench out of the work folder: it would spoil what both
// measure. The lock ends with the process, however that ends.
func (r *runner) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(r.Work, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("another bench is at work in %s: wait for it, or take another --work", r.Work)
	}
	return func() { _ = f.Close() }, nil
}

func (r *runner) say(format string, args ...any) {
	fmt.Fprintf(r.Progress, format+"\n", args...)
}

func (r *runner) runsDir() string { return filepath.Join(r.Work, "runs") }

// clear removes what a bench that was killed left behind.
func (r *runner) clear() error { return removeRun(r.runsDir()) }

// workload runs one workload on every target, again and again. Each round
// begins with another target, so that none always comes after the same.
func (r *runner) workload(ctx context.Context, w Workload) []*cell {
	var cells []*cell
	for _, t := range r.Targets {
		cells = append(cells, &cell{workload: w, target: t, refused: r.refuses(w, t)})
	}
	for round := range r.Repeat {
		for i := range cells {
			c := cells[(i+round)%len(cells)]
			if c.refused == "" && c.failed == "" && ctx.Err() == nil {
				r.once(ctx, c, round)
			}
		}
	}
	return cells
}

// refuses says why a workload can't run on a target, as far as that is known
// beforehand.
func (r *runner) refuses(w Workload, t Target) string {
	switch {
	case t.Missing != "" && !w.engine:
		return t.Missing
	case w.engine && t.Engine == nil:
		return "no container engine goes with this target"
	case w.engine && t.Engine.Missing != "":
		return t.Engine.Missing
	case (w.served || w.mounts) && t.Native:
		return "a plain directory has no server and no mount"
	case w.served && strings.HasPrefix(t.Name, "kernel"):
		return "the kernel's memory isn't a process's"
	case w.cold && !r.root:
		return "only the machine's root can drop the kernel's caches"
	}
	for _, program := range w.tools {
		if !installed(program) {
			return program + " isn't installed"
		}
	}
	return ""
}

// once makes one sample.
func (r *runner) once(ctx context.Context, c *cell, round int) {
	req, err := r.request(ctx, c)
	if err != nil {
		r.refuse(c, err.Error())
		return
	}
	s := r.ask(ctx, c.target, req)
	if ctx.Err() != nil {
		return
	}
	switch {
	case s.Failed != "":
		c.failed = s.Failed
		r.say("%-16s %-24s FAILED: %s", c.workload.Name, c.target.Name, s.Failed)
	default:
		c.samples = append(c.samples, s)
		r.say("%-16s %-24s round %d  %s  load %.1f", c.workload.Name, c.target.Name, round+1, measureText(s.Value, c.workload.unit()), s.Load)
	}
}

func (r *runner) refuse(c *cell, why string) {
	c.refused = why
	r.say("%-16s %-24s not possible: %s", c.workload.Name, c.target.Name, why)
}

func (r *runner) request(ctx context.Context, c *cell) (req request, err error) {
	w := c.workload
	r.runs++
	req = request{
		Target: c.target, Workload: w.Name, Files: map[string]string{}, Sizes: r.Sizes,
		Self: append(append([]string{}, r.Worker...), "help"), OneID: r.oneID,
		Dir: filepath.Join(r.runsDir(), fmt.Sprint(r.runs)),
	}
	if req.Lowers, err = r.shed.layers(ctx, w.lowerNames()); err != nil {
		return req, err
	}
	if w.check != nil {
		if why := w.check(req.Lowers, r.oneID); why != "" {
			return req, errors.New(why)
		}
	}
	for _, name := range w.files {
		if req.Files[name], err = r.shed.get(ctx, name); err != nil {
			return req, err
		}
	}
	if c.target.Native && !w.engine {
		req.Copy, err = r.native(ctx, w, req.Dir)
	}
	return req, err
}

// native prepares a plain directory: for workloads that write, a copy in the
// mount's place.
func (r *runner) native(ctx context.Context, w Workload, dir string) (string, error) {
	merged, err := r.shed.merged(ctx, w.lowerNames())
	if err != nil || !w.writes {
		return merged, err
	}
	return "", copyLayers(ctx, []string{merged}, filepath.Join(dir, "mount"))
}
