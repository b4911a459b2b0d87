package main

import (
	"errors"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"unionfs/runner/sandbox"
)

func unshareCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unshare [COMMAND…]",
		Short: "Run a command in the user namespace in which a user's store lives",
		Long: `Run COMMAND (default: a shell) as root of the user namespace that an ordinary
user's commands work in, or of one in which the user's own id is root. Files in
the store, and mounts, have their right owners there.`,
		RunE: func(_ *cobra.Command, args []string) error {
			return unshare(args)
		},
	}
	cmd.Flags().SetInterspersed(false) // flags behind the command are its own
	return cmd
}

func unshare(args []string) error {
	if os.Geteuid() != 0 {
		maps, ok, _ := sandbox.OwnMaps()
		if !ok {
			maps = sandbox.SingleMaps() // as run does
		}
		status, err := sandbox.RunInUserNS(maps, nil)
		if err != nil {
			return err
		}
		return exitWith{status}
	}
	if len(args) == 0 {
		args = []string{"/bin/sh"}
		if shell := os.Getenv("SHELL"); shell != "" {
			args[0] = shell
		}
	}
	c := exec.Command(args[0], args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitWith{max(exit.ExitCode(), 1)}
	}
	return err
}
