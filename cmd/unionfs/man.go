//go:build man

package main

import (
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
				header := &doc.GenManHeader{Title: "UNIONFS", Section: "1", Source: "unionfs " + ownVersion()}
				return doc.GenManTree(root, header, args[0])
			},
		})
	}
}
