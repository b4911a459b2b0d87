package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// newTree is the tree of commands: for everything but mounting, and for the
// help, the shell completion and the manual pages of all.
func newTree() *cobra.Command {
	root := &cobra.Command{
		Use:           "unionfs",
		Short:         "Stack directories into one file system, copy-on-write",
		Version:       ownVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          unknownCommand,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%v; try %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(mountCommand(), umountCommand(), versionCommand())
	addManCommand(root)
	return root
}

// addManCommand is set by the build that makes the manual pages; the program
// itself doesn't carry their generator.
var addManCommand = func(*cobra.Command) {}

func runTree(args []string) int {
	root := newTree()
	root.SetArgs(args)
	root.SetOut(os.Stdout)
	root.SetErr(stderr)
	return fail(root.Execute())
}

// unknownCommand is the root alone, or a word that is no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("say what to do: mount, umount or version; unionfs --help tells more")
	}
	cmd.SuggestionsMinimumDistance = 1
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("unknown command %q: did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return usagef("unknown command %q; unionfs --help lists them", args[0])
}

func noWords(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no words, but %q was given", cmd.CommandPath(), args[0])
	}
	return nil
}
