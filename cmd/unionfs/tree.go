package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// newTree is the tree of commands: for everything but mounting, and for the
// help, the shell completion and the manual pages of all.
func newTree() *cobra.Command { return treeOf(commands()) }

// treeFor is what there is of newTree for a command line: most of the time one
// command, because containers wait for the others to be built.
func treeFor(args []string) *cobra.Command {
	all := commands()
	word := commandWord(args)
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == word }); i >= 0 {
		all = all[i : i+1]
	}
	return treeOf(all)
}

// commandWord is the first word behind the flags that may stand before it, and ""
// when that can't be told.
func commandWord(args []string) string {
	for len(args) > 0 {
		flag, _, whole := strings.Cut(args[0], "=")
		if !slices.Contains(globals, flag) {
			return args[0]
		}
		args = args[1:]
		if !whole && len(args) > 0 {
			args = args[1:]
		}
	}
	return ""
}

func treeOf(commands []command) *cobra.Command {
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
	var store storeFlags
	store.add(root)
	for _, c := range commands {
		root.AddCommand(c.build(&store))
	}
	addManCommand(root)
	blameTheCaller(root)
	return root
}

// blameTheCaller makes a wrong number of words, and flags that exclude each other, a
// mistake of the command line, for each command below cmd.
func blameTheCaller(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = cobra.ArbitraryArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := cmd.ValidateFlagGroups()
		if err == nil {
			err = check(cmd, args)
		}
		var usage usageError
		if err == nil || errors.As(err, &usage) {
			return err
		}
		return usagef("%v; try %s --help", err, cmd.CommandPath())
	}
	for _, child := range cmd.Commands() {
		blameTheCaller(child)
	}
}

// addManCommand is set by the build that makes the manual pages; the program
// itself doesn't carry their generator.
var addManCommand = func(*cobra.Command) {}

func runTree(args []string) int {
	root := treeFor(args)
	root.SetArgs(args)
	root.SetOut(os.Stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(interrupted())
	if status, ok := statusIn(err); ok {
		return status
	}
	return fail(err)
}

// interrupted is a context that ends when somebody ends the program, so that
// what it was making is cleared away. A second signal ends it at once.
func interrupted() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// unknownCommand is the root alone, or a word that is no command.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("say what to do: mount, pull, images …; unionfs --help lists the commands")
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
