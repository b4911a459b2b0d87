package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ask starts a worker for one sample, and afterwards leaves no process and no
// folder of it.
func (r *runner) ask(ctx context.Context, t Target, req request) Sample {
	defer func() {
		kill(descendants())
		_ = removeRun(req.Dir) // what stays is tried again at the end
	}()
	if err := os.MkdirAll(req.Dir, 0o755); err != nil {
		return Sample{Failed: err.Error()}
	}
	s, err := r.worker(ctx, t, req)
	if err != nil {
		return Sample{Failed: err.Error()}
	}
	return s
}

// worker talks to a worker. Closing its input asks it to stop: it unmounts
// and ends. One that doesn't is killed, and its mounts go with its namespace.
func (r *runner) worker(ctx context.Context, t Target, req request) (s Sample, err error) {
	cmd := exec.Command(r.Worker[0], r.Worker[1:]...)
	cmd.SysProcAttr = r.namespaces(t)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return s, err
	}
	if err := cmd.Start(); err != nil {
		return s, fmt.Errorf("no worker: %w", err)
	}
	ended := make(chan error, 1)
	asked := json.NewEncoder(in).Encode(req)
	go func() { ended <- cmd.Wait() }()
	err = r.await(ctx, cmd, in, ended)
	switch {
	case err != nil:
		return s, fmt.Errorf("worker: %w%s", err, tail(said.String()))
	case asked != nil:
		return s, fmt.Errorf("worker: %w%s", asked, tail(said.String()))
	}
	return s, json.Unmarshal(out.Bytes(), &s)
}

// lastWait is how long a worker may take to clear away.
const lastWait = 30 * time.Second

func (r *runner) await(ctx context.Context, cmd *exec.Cmd, in io.Closer, ended <-chan error) error {
	limit := time.NewTimer(r.Patience)
	defer limit.Stop()
	var why error
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		why = ctx.Err()
	case <-limit.C:
		why = fmt.Errorf("it took longer than %v (--timeout)", r.Patience)
	}
	_ = in.Close() // the worker may be gone
	select {
	case <-ended:
	case <-time.After(lastWait):
		_ = cmd.Process.Kill() // it may be gone
		<-ended
	}
	return why
}

// namespaces of a worker. Its process group is its own, so that ^C reaches the
// runner alone, which then ends it in order. All ids that we have are mapped
// to themselves: the lower trees keep their owners. Who is the root of a user
// namespace already needs no other.
func (r *runner) namespaces(t Target) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Setpgid: true}
	if os.Geteuid() != 0 || t.Namespace && r.root {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings, attr.GidMappings = r.mappings(os.Geteuid()), r.mappings(os.Getegid())
		attr.GidMappingsEnableSetgroups = !r.oneID
	}
	return attr
}

func (r *runner) mappings(id int) []syscall.SysProcIDMap {
	if r.oneID {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 1}}
	}
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 65536}}
}

// removeRun removes a run's folder, also what an overlay's workdir makes
// unreadable for its owner.
func removeRun(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = exec.Command("chmod", "-R", "u+rwX", dir).Run() // RemoveAll tells what stays
	return os.RemoveAll(dir)
}
