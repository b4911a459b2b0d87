package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// forEach does something with each container that is named, goes on after a
// failure, and prints what was named when it is done.
func forEach(cmd *cobra.Command, h *house, names []string, do func(ctx context.Context, c *runner.Container) error) error {
	return eachOf(names, func(name string) error {
		c, err := h.Runner.Find(name)
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
				return forEach(cmd, h, args, func(_ context.Context, c *runner.Container) error {
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
	var seconds int
	cmd := &cobra.Command{
		Use:   "stop CONTAINER…",
		Short: "Ask containers to end, and kill those that don't",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			timeout := timeoutFlag(cmd, seconds)
			return forEach(cmd, h, args, func(ctx context.Context, c *runner.Container) error {
				return h.Stop(ctx, c, timeout)
			})
		},
	}
	cmd.Flags().IntVarP(&seconds, "time", "t", 10, "seconds until they are killed")
	return cmd
}

func timeoutFlag(cmd *cobra.Command, seconds int) *time.Duration {
	if !cmd.Flags().Changed("time") {
		return nil
	}
	d := time.Duration(seconds) * time.Second
	return &d
}

func restartCommand(f *storeFlags) *cobra.Command {
	var seconds int
	cmd := &cobra.Command{
		Use:   "restart CONTAINER…",
		Short: "Stop containers, and start them again",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			timeout := timeoutFlag(cmd, seconds)
			return forEach(cmd, h, args, func(ctx context.Context, c *runner.Container) error {
				if err := h.Stop(ctx, c, timeout); err != nil {
					return err
				}
				return startInBackground(f, h, c)
			})
		},
	}
	cmd.Flags().IntVarP(&seconds, "time", "t", 10, "seconds until they are killed")
	return cmd
}

func killCommand(f *storeFlags) *cobra.Command {
	var word string
	cmd := &cobra.Command{
		Use:   "kill CONTAINER…",
		Short: "Send a signal to containers",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sig, err := runner.ParseSignal(word)
			if err != nil {
				return usageError{"--signal: " + err.Error()}
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			return forEach(cmd, h, args, func(ctx context.Context, c *runner.Container) error {
				return h.Kill(ctx, c, sig)
			})
		},
	}
	cmd.Flags().StringVarP(&word, "signal", "s", "KILL", "which")
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
	var all bool
	cmd := &cobra.Command{
		Use:   "rm CONTAINER…",
		Short: "Remove containers, and what they wrote",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			if all {
				list, err := h.List()
				if err != nil {
					return err
				}
				for i := range list {
					args = append(args, list[i].ID)
				}
			} else if len(args) == 0 {
				return usagef("no container: say which to remove, or --all")
			}
			return forEach(cmd, h, slices.Compact(args), func(ctx context.Context, c *runner.Container) error {
				return h.Remove(ctx, c, o)
			})
		},
	}
	cmd.Flags().BoolVarP(&o.Force, "force", "f", false, "kill those that run")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "all containers")
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
	return &cobra.Command{
		Use:   name + " CONTAINER…",
		Short: short,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			return forEach(cmd, h, args, func(ctx context.Context, c *runner.Container) error {
				return h.Pause(ctx, c, freeze)
			})
		},
	}
}
