package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// mountCommand is "unionfs mount" in the tree, for its help and completion:
// a command line that mounts is done by runMount before any tree is built.
func mountCommand() *cobra.Command {
	var w words
	cmd := &cobra.Command{
		Use:   "mount -o OPTION[,OPTION…] [SOURCE] TARGET",
		Short: "Mount a union of directories",
		Long:  mountText(),
		Example: `  unionfs mount -o lowerdir=/srv/base,upperdir=/srv/changes,workdir=/srv/work /mnt
  unionfs mount -o lowerdir=/srv/top:/srv/base /mnt        (read-only)
  mount -t fuse.unionfs overlay /mnt -o lowerdir=/srv/base`,
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			return usagef("mount is not done here")
		},
	}
	mountFlags(cmd.Flags(), &w)
	return cmd
}

func printMountHelp(form) int {
	return runTree([]string{"help", "mount"})
}

// mountText is the introduction and the table of options.
func mountText() string {
	var b strings.Builder
	b.WriteString(`Stack directories into one file system and show it at TARGET. What is read
comes from the highest layer that has it; what is changed goes to upperdir;
the layers in lowerdir are never written.

The command comes back when the mount answers, and serving goes on in the
background. TARGET may be /dev/fd/N: a FUSE descriptor that is mounted already.
`)
	for _, sec := range sections() {
		fmt.Fprintf(&b, "\n%s:\n", sec.title)
		for _, row := range sec.rows {
			writeRow(&b, row)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// helpColumn is where explanations begin, helpWidth where they wrap.
const helpColumn, helpWidth = 24, 78

func writeRow(b *strings.Builder, row option) {
	head := "  " + row.typed()
	line := fmt.Sprintf("%-*s", helpColumn, head)
	if len([]rune(head)) >= helpColumn {
		b.WriteString(head + "\n")
		line = strings.Repeat(" ", helpColumn)
	}
	for _, word := range strings.Fields(row.help) {
		if len([]rune(line))+len([]rune(word)) > helpWidth {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", helpColumn)
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// typed is how the option is written.
func (o option) typed() string {
	switch {
	case o.value == "":
		return o.name
	case o.alone:
		return o.name + "[=" + o.value + "]"
	}
	return o.name + "=" + o.value
}
