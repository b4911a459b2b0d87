//go:build man

package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The generator of manual pages is in a build of its own, because nobody who
// mounts should load it: go run -tags man ./cmd/unionfs man DIR.
func init() {
	addManCommand = func(root *cobra.Command) {
		root.AddCommand(&cobra.Command{
			Use:    "man DIR",
			Short:  "Write the manual pages to DIR",
			Hidden: true,
			RunE: func(cmd *cobra.Command, args []string) error {
				if len(args) != 1 {
					return usagef("man needs one directory to write to")
				}
				root.DisableAutoGenTag = true
				for _, command := range root.Commands() {
					command.Long = verbatim(command.Long)
				}
				header := &doc.GenManHeader{Title: "UNIONFS", Section: "1", Source: "unionfs " + ownVersion()}
				return doc.GenManTree(root, header, args[0])
			},
		})
	}
}

// verbatim turns tables of the help into what the generator prints as it is:
// blocks of lines that are indented by four.
func verbatim(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "  " + line
		} else if strings.HasSuffix(line, ":") {
			lines[i] = line + "\n"
		}
	}
	return strings.Join(lines, "\n")
}
