package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

func volumeCommand(f *storeFlags) *cobra.Command {
	cmd := group("volume", "Make and keep volumes: data that outlives containers")
	cmd.AddCommand(
		volumeCreateCommand(f), volumeListCommand(f), volumeInspectCommand(f), volumeRemoveCommand(f), volumePruneCommand(f), volumeUsageCommand(f),
		volumeExistsCommand(f), volumeCopyCommand(f), volumeExportCommand(f), volumeImportCommand(f),
		volumeSnapshotCommand(f), volumeCloneCommand(f), volumeRestoreCommand(f),
		volumeServeCommand(func() (volumes.Driver, error) {
			h, err := f.containers()
			if err != nil {
				return nil, err
			}
			return h.Runner.Volumes.AsDriver(pluginName, h.VolumeUsers), nil
		}),
	)
	return cmd
}

func volumeCreateCommand(f *storeFlags) *cobra.Command {
	var r volumes.Request
	var options, labels []string
	cmd := &cobra.Command{
		Use:   "create [NAME]",
		Short: "Make a volume",
		Long: `Make a volume; one of that name that is there already is fine. Without a name it
gets a random one. The name is printed.

Options (-o KEY=VALUE) of the driver local, which is ours:
  size=10g            the volume has room for so much
  from=IMAGE          it begins with the files of an image of the store, copy-on-write
  from=VOLUME[@SNAP]  it begins with what a volume has, or had in a snapshot
  type= device= o=    it is what mount(8) would mount so:
                        -o type=tmpfs -o o=size=100m,mode=1777
                        -o type=ext4 -o device=/disk.img
                        -o o=bind -o device=/srv/data
                        -o type=nfs -o device=:/export -o o=addr=server,rw
Other drivers are plugins, with options of their own.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) > 0 {
				r.Name = args[0]
			}
			if r.Options, err = optionMap(options); err != nil {
				return err
			}
			if r.Labels, err = labelMap(labels); err != nil {
				return err
			}
			// docker's: a volume without a name is one without an owner, and prune
			// removes it.
			r.Anonymous = r.Name == ""
			h, err := f.containers()
			if err != nil {
				return err
			}
			v, err := h.Runner.Volumes.Create(cmd.Context(), r)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), v.Name)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&r.Driver, "driver", "d", volumes.Local, "the driver that keeps it: local, or a plugin")
	cmd.Flags().StringArrayVarP(&options, "opt", "o", nil, "KEY=VALUE for the driver; may be repeated")
	cmd.Flags().StringArrayVar(&labels, "label", nil, "KEY=VALUE, kept with it; may be repeated")
	return cmd
}

func volumeRemoveCommand(f *storeFlags) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "rm VOLUME…",
		Aliases: []string{"remove"},
		Short:   "Remove volumes and what is in them",
		Long: `Remove volumes, their data and their snapshots. One that a container has, also a
stopped one, stays, and the containers are named. With --force a volume that isn't
there is fine, and one whose plugin is gone is forgotten.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			patience := plugin.DefaultPatience
			if force {
				patience = time.Second
			}
			store, err := h.volumeStore(patience)
			if err != nil {
				return err
			}
			return eachVolume(cmd, args, func(name string) error {
				_, err := store.Adopt(cmd.Context(), name) // one of a plugin, made by others
				if err == nil || !volumes.IsNotFound(err) {
					err = store.Remove(cmd.Context(), name, force, h.VolumeUsers)
				}
				if force && volumes.IsNotFound(err) {
					return nil
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "forget what isn't there")
	return cmd
}

// eachVolume does something with each name, goes on after a failure, and prints
// the names with which it is done.
func eachVolume(cmd *cobra.Command, names []string, do func(name string) error) error {
	return eachOf(names, func(name string) error {
		err := do(name)
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		return err
	})
}

// still pauses the containers that have a volume, for as long as it is copied.
func (h *house) still(ctx context.Context, pause bool) volumes.Still {
	if !pause {
		return nil
	}
	return func(uses []string) (func(), error) {
		var again []func()
		start := func() {
			for _, goOn := range again {
				goOn()
			}
		}
		list, err := h.List()
		if err != nil {
			return nil, err
		}
		for i := range list {
			c := &list[i]
			if !holds(c, uses) {
				continue
			}
			goOn, err := h.standStill(ctx, c)
			if err != nil {
				start()
				return nil, fmt.Errorf("container %s has the volume, and can't be paused while that is copied: %w: stop it first, or copy while it writes with --pause=false", c.Short(), err)
			}
			again = append(again, goOn)
		}
		return start, nil
	}
}

// holds tells whether one of the uses is a container's: their ids begin with its
// own.
func holds(c *runner.Container, uses []string) bool {
	return slices.ContainsFunc(uses, func(id string) bool { return strings.HasPrefix(id, c.ID) })
}
