package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/volumes"
)

func volumePruneCommand(f *storeFlags) *cobra.Command {
	var all, force bool
	var filters []string
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove volumes that no container has",
		Long: `Remove volumes that no container has, stopped ones included: those without a name
of their own, or all with --all. Filters: label=KEY[=VALUE], label!=KEY[=VALUE],
all=true|false.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			labels, err := pruneFilters(filters, &all)
			if err != nil {
				return err
			}
			h, err := f.containers()
			if err != nil {
				return err
			}
			question := "Remove volumes without a name that no container has?"
			if all {
				question = "Remove all volumes that no container has?"
			}
			if !force && !agreedToLose(cmd, question) {
				return nil
			}
			return pruneVolumes(cmd, h, all, labels)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also volumes with names")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "don't ask")
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "KEY=VALUE; may be repeated")
	return cmd
}

// pruneFilters are those that look at a volume; all=true, docker's, is --all.
func pruneFilters(words []string, all *bool) (labels []string, err error) {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "label", "label!":
			labels = append(labels, word)
		case "all":
			if *all, err = strconv.ParseBool(value); err != nil {
				return nil, usagef("--filter=%s: true or false is expected", word)
			}
		default:
			return nil, usagef("--filter=%s: there are label, label! and all", word)
		}
	}
	return labels, nil
}

func pruneVolumes(cmd *cobra.Command, h *house, all bool, filters []string) error {
	keep, err := volumeFilter(filters, h.VolumeUsers)
	if err != nil {
		return err
	}
	gone, err := h.Runner.Volumes.Prune(cmd.Context(), h.VolumeUsers, func(v *volumes.Volume) (bool, error) {
		if !all && !v.Anonymous {
			return false, nil
		}
		return keep(v)
	})
	if len(gone.Names) > 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "Deleted Volumes:")
		for _, name := range gone.Names {
			fmt.Fprintln(cmd.OutOrStdout(), name)
		}
		fmt.Fprintln(cmd.OutOrStdout())
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Total reclaimed space: %s\n", size(gone.Bytes))
	return err
}
