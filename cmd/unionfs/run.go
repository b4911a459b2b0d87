package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/runner"
	"unionfs/runner/sandbox"
)

// Exit statuses of docker run, beside the program's own.
const (
	exitRunner = 125 // the runner failed
)

func runCommand(f *storeFlags) *cobra.Command {
	var r runFlags
	var detach, dryRun bool
	var keys string
	cmd := &cobra.Command{
		Use:   "run IMAGE|--rootfs DIR [COMMAND…]",
		Short: "Run a command in a new container of an image",
		Long: `Make a container of an image and run its program, or COMMAND, in it. The exit
status is the program's; 125 when the container couldn't be made, 126 when the
program can't be executed, 127 when it isn't there. An ordinary user needs no
privilege: the container then is in a user namespace.`,
		Args: r.words,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.read(cmd, args); err != nil {
				return runnerError(err)
			}
			r.spec.AtOnce = true
			h, err := f.containers()
			if err != nil {
				return runnerError(err)
			}
			c, err := create(cmd.Context(), h, &r)
			if err != nil {
				return runnerError(err)
			}
			switch {
			case dryRun:
				return runnerError(showPlan(cmd, h, &c))
			case detach:
				if err := startInBackground(f, h, &c); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), c.ID)
				return nil
			case c.Spec.TTY:
				return runInTerminal(cmd.Context(), f, h, &c, keys)
			}
			return runHere(cmd.Context(), h, &c)
		},
	}
	r.add(cmd)
	r.addRuntime(cmd)
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "leave it running in the background, and print its id")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the plan, and run nothing")
	cmd.Flags().StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "the keys that detach a terminal")
	return cmd
}

func createCommand(f *storeFlags) *cobra.Command {
	var r runFlags
	cmd := &cobra.Command{
		Use:   "create IMAGE|--rootfs DIR [COMMAND…]",
		Short: "Make a container without starting it",
		Long:  "Make a container as run does, for unionfs start to start. Its id is printed.",
		Args:  r.words,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.read(cmd, args); err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := create(cmd.Context(), h, &r)
			if err != nil {
				return err
			}
			if err := h.MakeVolumes(cmd.Context(), &c); err != nil {
				return errors.Join(err, h.Remove(context.WithoutCancel(cmd.Context()), &c, runner.RemoveOptions{Volumes: true}))
			}
			fmt.Fprintln(cmd.OutOrStdout(), c.ID)
			return nil
		},
	}
	r.add(cmd)
	r.addRuntime(cmd)
	return cmd
}

func (r *runFlags) addRuntime(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.spec.Runtime, "runtime", "", "runc, crun or a path: what runs it in place of our sandbox")
}

// runnerError gives all failures but the command line's docker's status for
// them.
func runnerError(err error) error {
	var usage usageError
	var exit exitWith
	if err == nil || errors.As(err, &usage) || errors.As(err, &exit) {
		return err
	}
	say("%v", err)
	return exitWith{exitRunner}
}

func create(ctx context.Context, h *house, r *runFlags) (runner.Container, error) {
	for _, line := range r.notes {
		warn(line)
	}
	if r.spec.Rootfs == "" {
		if err := h.ensureImage(ctx, r.spec.Image, r); err != nil {
			return runner.Container{}, err
		}
		if err := h.mayRun(r.spec.Image); err != nil {
			return runner.Container{}, err
		}
	}
	for _, m := range r.spec.Mounts {
		if m.Type != runner.ImageMount {
			continue
		}
		if err := h.ensureImage(ctx, m.Source, r); err != nil {
			return runner.Container{}, err
		}
	}
	if r.more.replace {
		if err := h.makeWay(ctx, r.name); err != nil {
			return runner.Container{}, err
		}
	}
	if r.cidfile == "" {
		return h.Create(ctx, r.name, r.spec)
	}
	return createNoted(ctx, h, r)
}

// makeWay removes the container that has a name, running or not.
func (h *house) makeWay(ctx context.Context, name string) error {
	c, err := h.Runner.Find(name)
	var unknown *runner.UnknownError
	if errors.As(err, &unknown) || err == nil && c.Name != name {
		return nil // or another's id begins so
	}
	if err != nil {
		return err
	}
	return h.Remove(ctx, &c, runner.RemoveOptions{Force: true, Volumes: true})
}

// createNoted writes the id to a file, which mustn't be there, and leaves none
// behind when there is no container.
func createNoted(ctx context.Context, h *house, r *runFlags) (c runner.Container, err error) {
	file, err := os.OpenFile(r.cidfile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return c, fmt.Errorf("--cidfile: %w", err)
	}
	if c, err = h.Create(ctx, r.name, r.spec); err != nil {
		file.Close()
		return c, errors.Join(err, os.Remove(r.cidfile))
	}
	_, err = io.WriteString(file, c.ID)
	if err = errors.Join(err, file.Close()); err != nil {
		err = errors.Join(fmt.Errorf("--cidfile: %w", err), h.Remove(context.WithoutCancel(ctx), &c, runner.RemoveOptions{Volumes: true}))
	}
	return c, err
}

// showPlan prints what would be done, and takes the container back.
func showPlan(cmd *cobra.Command, h *house, c *runner.Container) error {
	plan, err := h.Plan(cmd.Context(), c)
	if rerr := h.Remove(context.WithoutCancel(cmd.Context()), c, runner.RemoveOptions{}); err == nil {
		err = rerr
	}
	if err != nil {
		return err
	}
	if c.Spec.Runtime != "" {
		return showConfig(cmd, &plan)
	}
	_, err = io.WriteString(cmd.OutOrStdout(), sandbox.PlanText(sandbox.Plan(&plan)))
	return err
}

// runHere is the monitor of a container that is run in the foreground without a
// terminal.
func runHere(ctx context.Context, h *house, c *runner.Container) error {
	raiseDescriptorLimit()
	var out ownOutput
	o := runner.MonitorOptions{Output: out.write}
	if c.Spec.Interactive {
		o.Stdin = os.Stdin
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals) // all that can be caught are the program's
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	to := beforeStart(cancel)
	o.Started = func(r runner.Program) { to.Store(&r.Signal) }
	go handOn(signals, func(sig int) error { return (*to.Load())(sig) })
	st, err := h.Monitor(ctx, c, o)
	if err != nil {
		say("%v", err)
		return exitWith{st.ExitCode}
	}
	if err := out.lost(); err != nil {
		say("%v: what the program printed there is lost", err)
		return exitWith{cmp.Or(st.ExitCode, exitRunner)}
	}
	return ended(st.ExitCode)
}

// beforeStart takes the signals that come before there is a program: those that
// ask to end give the start up, which may be waiting for a plugin.
func beforeStart(giveUp func()) *atomic.Pointer[func(sig int) error] {
	var to atomic.Pointer[func(sig int) error]
	first := func(sig int) error {
		switch unix.Signal(sig) {
		case unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT:
			giveUp()
		}
		return nil
	}
	to.Store(&first)
	return &to
}

// ended is a program's exit code as an error.
func ended(code int) error {
	if code == 0 {
		return nil
	}
	return exitWith{code}
}

// handOn gives signals to a program. Those about this process alone stay here.
func handOn(signals <-chan os.Signal, to func(sig int) error) {
	for s := range signals {
		sig, ok := s.(unix.Signal)
		switch {
		case !ok, sig == unix.SIGCHLD, sig == unix.SIGPIPE, sig == unix.SIGURG, sig == unix.SIGWINCH:
		default:
			_ = to(int(sig)) // one that has ended hears nothing
		}
	}
}

// ownOutput prints what a container does as this process's own.
type ownOutput struct {
	mu  sync.Mutex
	err error // the first
}

func (o *ownOutput) write(stream string, text []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := os.Stdout
	if stream == "stderr" {
		w = os.Stderr
	}
	_, err := w.Write(text)
	if o.err == nil {
		o.err = err
	}
	return err
}

// lost says why something couldn't be printed. Whom nobody reads any more has lost
// nothing: head(1) has seen enough.
func (o *ownOutput) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.err, unix.EPIPE) {
		return nil
	}
	return o.err
}
