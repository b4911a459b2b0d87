package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/fs/transport"
)

// umountCommand takes mounts away.
func umountCommand() *cobra.Command {
	var lazy, force bool
	cmd := &cobra.Command{
		Use:     "umount TARGET…",
		Aliases: []string{"unmount"},
		Short:   "Unmount unions",
		Long: `Unmount the unions at each TARGET. A mount that is in use stays, and the
command says so: end its users first, or use --lazy.`,
		RunE: func(_ *cobra.Command, targets []string) error {
			if len(targets) == 0 {
				return usagef("no target: say which mount to take away, as in unionfs umount /mnt")
			}
			return umountAll(targets, lazy, force)
		},
	}
	cmd.Flags().BoolVarP(&lazy, "lazy", "l", false, "detach from the tree now, end when the last user is gone")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "cut off a server that doesn't answer; its users get errors")
	return cmd
}

// umountAll goes on after a failure, with a line for each; it answers the last.
func umountAll(targets []string, lazy, force bool) (failed error) {
	for _, target := range targets {
		err := umountOne(target, lazy, force)
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

func umountOne(target string, lazy, force bool) error {
	switch {
	case force:
		return umountForced(target, lazy)
	case lazy:
		return transport.UnmountLazy(target)
	}
	return transport.Unmount(target)
}

// umountForced aborts the connection, for a server that hangs.
func umountForced(target string, lazy bool) error {
	flags := unix.MNT_FORCE | unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err := unix.Unmount(target, flags)
	switch err {
	case nil:
		return nil
	case unix.EPERM:
		return fmt.Errorf("%s: only root may use --force; try --lazy", target)
	case unix.EINVAL:
		return fmt.Errorf("%s is not mounted", target)
	}
	return fmt.Errorf("%s: unmount: %w", target, err)
}
