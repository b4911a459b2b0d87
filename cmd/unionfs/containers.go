package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/runner"
)

// forEach does something with each container that is named, goes on after a
// failure, and prints what was named when it is done. ignore passes over names that
// nobody has.
func forEach(cmd *cobra.Command, h *house, names []string, ignore bool, do func(ctx context.Context, c *runner.Container) error) error {
	return eachOf(slices.Compact(names), func(name string) error {
		c, err := h.Runner.Find(name)
		var unknown *runner.UnknownError
		if ignore && errors.As(err, &unknown) {
			return nil
		}
		if err == nil {
			err = do(cmd.Context(), &c)
		}
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return err
	})
}

// eachOf does something about each name, goes on after a failure, and answers the
// last one.
func eachOf(names []string, do func(name string) error) (failed error) {
	for _, name := range names {
		err := do(name)
		if err == nil {
			continue
		}
		if failed != nil {
			say("%v", failed)
		}
		failed = err
	}
	return failed
}

func startCommand(f *storeFlags) *cobra.Command {
	var attach, interactive bool
	var keys string
	cmd := &cobra.Command{
		Use:   "start CONTAINER…",
		Short: "Start containers that don't run",
		Long: `Start containers that were created or have ended; what they wrote is still
there. With -a this process is attached to the one, and its exit status is the
program's.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			if !attach && !interactive {
				return forEach(cmd, h, args, false, func(_ context.Context, c *runner.Container) error {
					return startOne(f, h, c)
				})
			}
			if len(args) > 1 {
				return usagef("only one container can be attached to")
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			c.Spec.Interactive = c.Spec.Interactive && interactive
			return runInTerminal(cmd.Context(), f, h, &c, keys)
		},
	}
	cmd.Flags().BoolVarP(&attach, "attach", "a", false, "show what it prints")
	cmd.Flags().BoolVarP(&interactive, "interactive", "i", false, "and give it this standard input")
	cmd.Flags().StringVar(&keys, "detach-keys", "ctrl-p,ctrl-q", "the keys that detach a terminal")
	return cmd
}

// startOne is fine with one that runs.
func startOne(f *storeFlags, h *house, c *runner.Container) error {
	if c.State.Status == runner.Running {
		return nil
	}
	return startInBackground(f, h, c)
}

func stopCommand(f *storeFlags) *cobra.Command {
	var o stopFlags
	cmd := eachContainer(f, "stop", "Ask containers to end, and kill those that don't", runs, func(ctx context.Context, h *house, c *runner.Container) error {
		return h.Stop(ctx, c, o.options())
	})
	o.add(cmd)
	return cmd
}

func restartCommand(f *storeFlags) *cobra.Command {
	var o stopFlags
	cmd := eachContainer(f, "restart", "Stop containers, and start them again", runs, func(ctx context.Context, h *house, c *runner.Container) error {
		if err := h.Stop(ctx, c, o.options()); err != nil {
			return err
		}
		return startInBackground(f, h, c)
	})
	o.add(cmd)
	return cmd
}

// stopFlags say how containers are stopped.
type stopFlags struct {
	cmd     *cobra.Command
	seconds int
	word    string
	signal  unix.Signal
}

func (o *stopFlags) add(cmd *cobra.Command) {
	o.cmd = cmd
	cmd.Flags().IntVarP(&o.seconds, "time", "t", 10, "seconds until they are killed; -1 is for ever")
	cmd.Flags().IntVar(&o.seconds, "timeout", 10, "the same")
	cmd.Flags().StringVarP(&o.word, "signal", "s", "", "the signal that asks them (default: the container's own)")
	cmd.MarkFlagsMutuallyExclusive("time", "timeout")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		if o.word == "" {
			return nil
		}
		o.signal, err = signalFlag(o.word)
		return err
	}
}

func (o *stopFlags) options() (out runner.StopOptions) {
	out.Signal = o.signal
	if o.cmd.Flags().Changed("time") || o.cmd.Flags().Changed("timeout") {
		d := time.Duration(o.seconds) * time.Second
		out.Timeout = &d
	}
	return out
}

func signalFlag(word string) (unix.Signal, error) {
	sig, err := runner.ParseSignal(word)
	if err != nil {
		return 0, usageError{"--signal: " + err.Error()}
	}
	return sig, nil
}

func killCommand(f *storeFlags) *cobra.Command {
	var word string
	var sig unix.Signal
	cmd := eachContainer(f, "kill", "Send a signal to containers", runs, func(ctx context.Context, h *house, c *runner.Container) error {
		return h.Kill(ctx, c, sig)
	})
	cmd.Flags().StringVarP(&word, "signal", "s", "KILL", "which")
	cmd.PreRunE = func(*cobra.Command, []string) (err error) {
		sig, err = signalFlag(word)
		return err
	}
	return cmd
}

func waitCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "wait CONTAINER…",
		Short: "Wait until containers have ended, and print their exit codes",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			return eachOf(args, func(name string) error {
				c, err := h.Runner.Find(name)
				if err != nil {
					return err
				}
				st, err := h.Wait(cmd.Context(), &c)
				if err == nil {
					fmt.Fprintln(cmd.OutOrStdout(), st.ExitCode)
				}
				return err
			})
		},
	}
}

func rmCommand(f *storeFlags) *cobra.Command {
	var o runner.RemoveOptions
	cmd := eachContainer(f, "rm", "Remove containers, and what they wrote", anyState, func(ctx context.Context, h *house, c *runner.Container) error {
		return h.Remove(ctx, c, o)
	})
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "kill those that run; names of containers that aren't there are no mistake")
	// As with podman; docker says that it isn't there, and goes on, too.
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if !o.Force {
			return nil
		}
		return cmd.Flags().Set("ignore", "true")
	}
	cmd.Flags().BoolVarP(&o.Volumes, "volumes", "v", false, "also the volumes without a name that were made for them")
	return cmd
}

func renameCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTAINER NAME",
		Short: "Give a container another name",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			return h.RenameSnapshot(c.ID, args[1])
		},
	}
}

func pauseCommand(f *storeFlags) *cobra.Command {
	return freezeCommand(f, "pause", "Stop all processes of containers for a while", true)
}

func unpauseCommand(f *storeFlags) *cobra.Command {
	return freezeCommand(f, "unpause", "Let them go on", false)
}

func freezeCommand(f *storeFlags, name, short string, freeze bool) *cobra.Command {
	among := func(c *runner.Container) bool { return runs(c) && c.State.Paused != freeze }
	return eachContainer(f, name, short, among, func(ctx context.Context, h *house, c *runner.Container) error {
		return h.Pause(ctx, c, freeze)
	})
}
