package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

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

// umountAll goes on after a failure, and fails when one did.
func umountAll(targets []string, lazy, force bool) error {
	var errs []error
	for _, target := range targets {
		if err := umountOne(target, lazy, force); err != nil {
			errs = append(errs, fmt.Errorf("umount %s: %w", target, err))
		}
	}
	return errors.Join(errs...)
}

func umountOne(target string, lazy, force bool) error {
	switch {
	case force:
		return umountForced(target, lazy)
	case lazy:
		return detach(target)
	}
	return transport.Unmount(target)
}

// umountForced aborts the connection, for a server that hangs.
func umountForced(target string, lazy bool) error {
	flags := unix.MNT_FORCE
	if lazy {
		flags |= unix.MNT_DETACH
	}
	return plain(unix.Unmount(target, flags))
}

// detach takes the mount out of the tree at once. Its users keep what they
// have open, and the server ends with the last of them.
func detach(target string) error {
	err := unix.Unmount(target, unix.MNT_DETACH)
	if !errors.Is(err, unix.EPERM) {
		return plain(err)
	}
	// An ordinary user's mount was made by fusermount3, which alone may
	// take it away.
	out, err := exec.Command("fusermount3", "-u", "-z", "--", target).CombinedOutput()
	if words := strings.TrimSpace(string(out)); err != nil && words != "" {
		return errors.New(words)
	}
	return err
}

// plain puts words in the place of umount(2)'s errors that mislead.
func plain(err error) error {
	if errors.Is(err, unix.EINVAL) {
		return errors.New("nothing is mounted there")
	}
	return err
}
