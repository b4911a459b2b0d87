package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// chosen says which containers a command is about: those that are named, or podman's
// words for them.
type chosen struct{ all, latest, ignore bool }

func (x *chosen) add(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&x.all, "all", "a", false, "all containers for which it makes sense")
	cmd.Flags().BoolVarP(&x.latest, "latest", "l", false, "the container that was made last")
	cmd.Flags().BoolVarP(&x.ignore, "ignore", "i", false, "names of containers that aren't there are no mistake")
	cmd.MarkFlagsMutuallyExclusive("all", "latest")
}

// names are what is chosen; among says for which containers the command makes sense.
func (x *chosen) names(h *house, args []string, among func(*runner.Container) bool) ([]string, error) {
	switch {
	case !x.all && !x.latest && len(args) == 0:
		return nil, usagef("no container: say which, or --all")
	case !x.all && !x.latest:
		return args, nil
	case len(args) > 0:
		return nil, usagef("--all and --latest take no names, but %q was given", args[0])
	}
	list, err := h.List() // the newest first
	if err != nil {
		return nil, err
	}
	if x.latest {
		if len(list) == 0 {
			return nil, errors.New("--latest: there is no container")
		}
		return []string{list[0].ID}, nil
	}
	var out []string
	for i := range list {
		if among(&list[i]) {
			out = append(out, list[i].ID)
		}
	}
	return out, nil
}

func runs(c *runner.Container) bool { return c.State.Status == runner.Running }

func anyState(*runner.Container) bool { return true }

// eachContainer is a command that does something with each container that is chosen.
func eachContainer(f *storeFlags, name, short string, among func(*runner.Container) bool, do func(ctx context.Context, h *house, c *runner.Container) error) *cobra.Command {
	var x chosen
	cmd := &cobra.Command{
		Use:   name + " CONTAINER…",
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			names, err := x.names(h, args, among)
			if err != nil {
				return err
			}
			return forEach(cmd, h, names, x.ignore, func(ctx context.Context, c *runner.Container) error {
				return do(ctx, h, c)
			})
		},
	}
	x.add(cmd)
	return cmd
}
