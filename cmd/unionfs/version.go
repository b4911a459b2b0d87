package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker (see the Makefile).
var version string

// standInVersion is the release of fuse-overlayfs whose options and formats we
// speak. Programs that call us by that name compare it.
const standInVersion = "1.17"

// versionLines is what --version prints.
func versionLines(f form) string {
	line := "unionfs version " + ownVersion() + "\n"
	if f.standIn() {
		// The last word of this line is the number that callers look for.
		return "fuse-overlayfs: version " + standInVersion + "\n" + line
	}
	return line
}

func printVersion(f form) int {
	fmt.Fprint(os.Stdout, versionLines(f))
	return exitOK
}

// ownVersion falls back on what the Go tool wrote into the program.
func ownVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && strings.HasPrefix(info.Main.Version, "v") {
		return info.Main.Version
	}
	return "devel"
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), versionLines(form{name: "unionfs"}))
			return err
		},
	}
}
