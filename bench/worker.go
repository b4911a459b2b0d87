package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// request is what the runner asks of a worker.
type request struct {
	Target   Target            `json:"target"`
	Workload string            `json:"workload"`
	Lowers   []string          `json:"lowers"`
	Files    map[string]string `json:"files"`
	Dir      string            `json:"dir"`
	Sizes    Sizes             `json:"sizes"`
	Self     []string          `json:"self"`
	OneID    bool              `json:"oneId"`
	// Copy is a directory that a native target shows as it is, when the
	// workload only reads.
	Copy string `json:"copy,omitempty"`
}

// Sample is one run's measure.
type Sample struct {
	Value float64 `json:"value"`
	// Extra are further measures of the same run.
	Extra map[string]float64 `json:"extra,omitempty"`
	// ServerCPU are the seconds of processor time that the server took.
	ServerCPU float64 `json:"serverCpu,omitempty"`
	// ServerMemory is what the server kept resident afterwards, in bytes.
	ServerMemory int64 `json:"serverMemory,omitempty"`
	// Load is the load average of one minute when the run began.
	Load float64 `json:"load"`
	// Failed says what went wrong.
	Failed string `json:"failed,omitempty"`
}

// Work is the worker: it reads one request, does it and answers. When its
// input ends, its runner is gone or wants it to stop.
func Work(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	var r request
	if err := decoder.Decode(&r); err != nil {
		return fmt.Errorf("no request came: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ends it means the same
		cancel()
	}()
	return json.NewEncoder(out).Encode(r.serve(ctx))
}

func (r *request) serve(ctx context.Context) Sample {
	s, err := r.sample(ctx)
	if err != nil {
		s.Failed = err.Error()
	}
	return s
}

// sample prepares a bed, runs the workload in it and clears everything away.
func (r *request) sample(ctx context.Context) (s Sample, err error) {
	s.Load = loadAverage()
	w, err := workloadNamed(r.Workload)
	if err != nil {
		return s, err
	}
	if err := enter(); err != nil {
		return s, err
	}
	m, err := r.newMount(ctx)
	if err != nil {
		return s, err
	}
	b := r.bed(ctx, m)
	defer func() { err = errors.Join(err, m.end()) }()
	if err := r.prepare(w, b, m); err != nil {
		return s, err
	}
	return s, measure(w, b, m, &s)
}

func workloadNamed(name string) (Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("there is no workload %q", name)
}

// enter cuts our mounts off from all others, and takes in the servers that
// leave their parents.
func enter() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("no private mounts: %w", err)
	}
	return adoptOrphans()
}

func (r *request) bed(ctx context.Context, m *mount) *Bed {
	return &Bed{
		ctx: ctx, root: m.mounted, scratch: filepath.Join(r.Dir, "scratch"), lowers: r.Lowers, files: r.Files,
		sizes: r.Sizes, self: r.Self, oneID: r.OneID, engine: r.Target.Engine, mount: m.begin, serverMemory: m.memory,
	}
}

// prepare does all that isn't timed.
func (r *request) prepare(w Workload, b *Bed, m *mount) error {
	if w.before != nil {
		if err := w.before(b); err != nil {
			return fmt.Errorf("before the mount: %w", err)
		}
	}
	if !w.mounts && !w.engine {
		if err := m.begin(); err != nil {
			return err
		}
	}
	if w.warm != nil {
		if err := w.warm(b); err != nil {
			return fmt.Errorf("before the measure: %w", err)
		}
	}
	unix.Sync() // what is still to be written isn't the run's
	if w.cold {
		if err := dropCaches(); err != nil {
			return fmt.Errorf("the kernel's caches can't be dropped: %w", err)
		}
	}
	return nil
}

func measure(w Workload, b *Bed, m *mount, s *Sample) error {
	before := m.cpu()
	start := time.Now()
	if err := w.run(b); err != nil {
		return err
	}
	s.Value = time.Since(start).Seconds()
	if b.value != nil {
		s.Value = *b.value
	}
	s.ServerCPU = max(0, m.cpu()-before)
	s.ServerMemory = m.memory()
	s.Extra = b.extra
	return b.ctx.Err()
}

// newMount makes the directories of a run.
func (r *request) newMount(ctx context.Context) (*mount, error) {
	m := &mount{ctx: ctx, target: r.Target, copied: r.Copy, layout: layout{
		lower: r.Lowers,
		upper: filepath.Join(r.Dir, "upper"), work: filepath.Join(r.Dir, "work"), mounted: filepath.Join(r.Dir, "mount"),
	}}
	for _, dir := range []string{m.upper, m.work, m.mounted, filepath.Join(r.Dir, "scratch")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	return m, nil
}
