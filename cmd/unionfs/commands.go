package main

import (
	"slices"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// command is one that may follow our own name.
type command struct {
	name  string
	build func(f *storeFlags) *cobra.Command
}

// commands are all of them. They are built one by one, where one is enough.
func commands() []command {
	return []command{
		{"mount", storeless(mountCommand)},
		{"umount", storeless(umountCommand)},
		{"version", storeless(versionCommand)},
		{"bench", storeless(benchCommand)},
		{"pull", pullCommand},
		{"push", pushCommand},
		{"login", loginCommand},
		{"logout", storeless(logoutCommand)},
		{"load", loadCommand},
		{"save", saveCommand},
		{"import", importCommand},
		{"export", exportCommand},
		{"image", imageCommand},
		{"container", containerCommand},
		{"images", imagesCommand},
		{"tag", tagCommand},
		{"rmi", rmiCommand},
		{"inspect", inspectCommand},
		{"history", historyCommand},
		{"tree", treeCommand},
		{"diff", diffCommand},
		{"squash", squashCommand},
		{"commit", commitCommand},
		{"run", runCommand},
		{"create", createCommand},
		{"start", startCommand},
		{"stop", stopCommand},
		{"restart", restartCommand},
		{"kill", killCommand},
		{"pause", pauseCommand},
		{"unpause", unpauseCommand},
		{"wait", waitCommand},
		{"exec", execCommand},
		{"attach", attachCommand},
		{"logs", logsCommand},
		{"ps", psCommand},
		{"port", portCommand},
		{"top", topCommand},
		{"stats", statsCommand},
		{"rm", rmCommand},
		{"rename", renameCommand},
		{"cp", cpCommand},
		{"bundle", bundleCommand},
		{"snapshot", snapshotCommand},
		{"volume", volumeCommand},
		{"system", systemCommand},
		{"info", infoCommand},
		{"unshare", storeless(unshareCommand)},
		{monitorWord, monitorCommand},
		{runner.KeeperWord, storeless(keeperCommand)},
		{holderWord, storeless(holderCommand)},
		{volumeServerWord, volumeServerCommand},
		{benchWorkerWord, storeless(benchWorkerCommand)},
	}
}

// storeless is for commands that don't use the store.
func storeless(build func() *cobra.Command) func(*storeFlags) *cobra.Command {
	return func(*storeFlags) *cobra.Command { return build() }
}

// otherVerbs may stand where commands do: another name of one, and what cobra and
// the build with manual pages add.
var otherVerbs = []string{"unmount", "completion", "help", "man", "__complete", "__completeNoDesc"}

// isVerb tells whether a word that follows our own name is a command. Under any
// other name each word is a source or a target.
func isVerb(word string) bool {
	return slices.Contains(otherVerbs, word) || word != "mount" &&
		slices.ContainsFunc(commands(), func(c command) bool { return c.name == word })
}

// imageCommand holds the image commands under the names that docker's "image"
// has for them.
func imageCommand(f *storeFlags) *cobra.Command {
	cmd := group("image", "Manage images")
	list, remove := imagesCommand(f), rmiCommand(f)
	list.Use, list.Aliases = "ls [NAME]", []string{"list"}
	remove.Use, remove.Aliases = "rm IMAGE…", []string{"remove"}
	cmd.AddCommand(list, remove, pullCommand(f), pushCommand(f), loadCommand(f), saveCommand(f), importCommand(f),
		tagCommand(f), imageExistsCommand(f), inspectOnly(f, "image"), historyCommand(f), treeCommand(f), diffCommand(f), squashCommand(f), pruneCommand(f))
	return cmd
}

// containerCommand holds the container commands under the names that docker's
// "container" has for them.
func containerCommand(f *storeFlags) *cobra.Command {
	cmd := group("container", "Manage containers")
	list := psCommand(f)
	list.Use, list.Aliases = "ls", []string{"list", "ps"}
	cmd.AddCommand(list, containerPruneCommand(f), containerExistsCommand(f), portCommand(f),
		runCommand(f), createCommand(f), startCommand(f), stopCommand(f), restartCommand(f), killCommand(f),
		pauseCommand(f), unpauseCommand(f), waitCommand(f), execCommand(f), attachCommand(f), logsCommand(f),
		topCommand(f), statsCommand(f), rmCommand(f), renameCommand(f), cpCommand(f), inspectOnly(f, "container"),
		commitCommand(f), diffCommand(f), exportCommand(f))
	return cmd
}
