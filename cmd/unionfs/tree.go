package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
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
	root.AddCommand(mountCommand(), umountCommand(), versionCommand(), benchCommand(), benchWorkerCommand())
	var store storeFlags
	store.add(root)
	root.AddCommand(storeCommands(&store)...)
	addManCommand(root)
	blameTheCaller(root)
	return root
}

// storeCommands are those that use the store.
func storeCommands(f *storeFlags) []*cobra.Command {
	return []*cobra.Command{
		pullCommand(f), pushCommand(f), loginCommand(f), logoutCommand(), loadCommand(f), saveCommand(f),
		importCommand(f), exportCommand(f),
		imageCommand(f), containerCommand(f), imagesCommand(f), tagCommand(f), rmiCommand(f), inspectCommand(f), historyCommand(f),
		treeCommand(f), diffCommand(f), squashCommand(f), commitCommand(f),
		runCommand(f), createCommand(f), startCommand(f), stopCommand(f), restartCommand(f), killCommand(f),
		pauseCommand(f), unpauseCommand(f),
		waitCommand(f), execCommand(f), attachCommand(f), logsCommand(f), psCommand(f), topCommand(f), statsCommand(f),
		rmCommand(f), renameCommand(f), cpCommand(f), bundleCommand(f), monitorCommand(f), keeperCommand(), holderCommand(),
		snapshotCommand(f), volumeCommand(f), volumeServerCommand(f), systemCommand(f), infoCommand(f), unshareCommand(),
	}
}

// imageCommand holds the image commands under the names that docker's "image"
// has for them.
func imageCommand(f *storeFlags) *cobra.Command {
	cmd := group("image", "Manage images")
	list, remove := imagesCommand(f), rmiCommand(f)
	list.Use, list.Aliases = "ls [NAME]", []string{"list"}
	remove.Use, remove.Aliases = "rm IMAGE…", []string{"remove"}
	cmd.AddCommand(list, remove, pullCommand(f), pushCommand(f), loadCommand(f), saveCommand(f), importCommand(f),
		tagCommand(f), inspectOnly(f, "image"), historyCommand(f), treeCommand(f), diffCommand(f), squashCommand(f), pruneCommand(f))
	return cmd
}

// containerCommand holds the container commands under the names that docker's
// "container" has for them.
func containerCommand(f *storeFlags) *cobra.Command {
	cmd := group("container", "Manage containers")
	list := psCommand(f)
	list.Use, list.Aliases = "ls", []string{"list", "ps"}
	cmd.AddCommand(list, containerPruneCommand(f),
		runCommand(f), createCommand(f), startCommand(f), stopCommand(f), restartCommand(f), killCommand(f),
		pauseCommand(f), unpauseCommand(f), waitCommand(f), execCommand(f), attachCommand(f), logsCommand(f),
		topCommand(f), statsCommand(f), rmCommand(f), renameCommand(f), cpCommand(f), inspectOnly(f, "container"),
		commitCommand(f), diffCommand(f), exportCommand(f))
	return cmd
}

// blameTheCaller makes a wrong number of words a mistake of the command line,
// for each command below cmd.
func blameTheCaller(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			var usage usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return usagef("%v; try %s --help", err, cmd.CommandPath())
		}
	}
	for _, child := range cmd.Commands() {
		blameTheCaller(child)
	}
}

// addManCommand is set by the build that makes the manual pages; the program
// itself doesn't carry their generator.
var addManCommand = func(*cobra.Command) {}

func runTree(args []string) int {
	root := newTree()
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
