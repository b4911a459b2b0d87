package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"unionfs/layerstore/driver"
)

func snapshotMountCommand(f *storeFlags) *cobra.Command {
	var o driver.MountOptions
	var foreground bool
	cmd := &cobra.Command{
		Use:   "mount SNAPSHOT|IMAGE TARGET",
		Short: "Mount a snapshot, or an image read-only",
		Long: `Mount a snapshot on a directory, or an image read-only. unionfs umount TARGET
takes it away. An ordinary user with a range of ids does this inside
unionfs unshare, because a mount in a user namespace lives as long as that.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := absolute(args[1])
			if err != nil {
				return err
			}
			if err := mayOutlive(); err != nil {
				return err
			}
			back := takeStarter()
			if back == nil && !foreground {
				return inBackground(target)
			}
			s, err := f.open()
			if err != nil {
				return err
			}
			return mountStored(cmd.Context(), s, args[0], target, o, back)
		},
	}
	cmd.Flags().BoolVarP(&foreground, "foreground", "f", false, "stay in the foreground")
	cmd.Flags().BoolVar(&o.ReadOnly, "read-only", false, "let nobody write")
	cmd.Flags().BoolVar(&o.Volatile, "volatile", false, "never sync: faster, and lost when the machine crashes")
	cmd.Flags().StringSliceVarP(&o.Options, "options", "o", nil, "general mount options, separated by commas: nosuid, nodev …")
	return cmd
}

// mayOutlive refuses mounts that would be gone with this command.
func mayOutlive() error {
	if wouldEnterUserNS() {
		return fmt.Errorf("a mount made here would end with this command: run it inside unionfs unshare")
	}
	return nil
}

// inBackground starts the server, and answers when the mount does.
func inBackground(target string) error {
	status, err := startServer(-1, target)
	if err == nil && status != exitOK {
		err = exitWith{status} // the server has said why
	}
	return err
}

// mountStored mounts and stays as long as the mount needs this process.
func mountStored(ctx context.Context, s *shop, what, target string, o driver.MountOptions, back *starter) error {
	signals := listen(back != nil)
	raiseDescriptorLimit()
	o.Log = func(line string) { say("%s", line) }
	m, err := mountWhat(ctx, s, what, target, o)
	if err != nil {
		return err
	}
	if err := leave(back); err != nil {
		if uerr := m.Unmount(); uerr != nil {
			return fmt.Errorf("%w (and %w)", err, uerr)
		}
		return err
	}
	if srv, ok := m.(server); ok {
		go answer(signals, srv, target)
	}
	return m.Wait()
}

func mountWhat(ctx context.Context, s *shop, what, target string, o driver.MountOptions) (driver.Mount, error) {
	n, serr := s.Snapshot(what)
	if serr == nil {
		d, err := driver.Of(n, s.Store)
		if err != nil {
			return nil, err
		}
		return d.Mount(ctx, n, target, o)
	}
	img, err := s.Find(what)
	if err != nil {
		return nil, err
	}
	d, err := s.driver()
	if err != nil {
		return nil, err
	}
	return d.View(ctx, img.Layers, target, o)
}
