package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

func systemCommand(f *storeFlags) *cobra.Command {
	cmd := group("system", "Look after the store")
	cmd.AddCommand(checkCommand(f), dfCommand(f), pruneCommand(f))
	return cmd
}

// group is a command that only holds others.
func group(name, short string) *cobra.Command {
	return &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("say what to do; %s --help lists the commands", cmd.CommandPath())
			}
			return usagef("unknown command %q; %s --help lists them", args[0], cmd.CommandPath())
		},
	}
}

func checkCommand(f *storeFlags) *cobra.Command {
	var o output
	var repair bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that the store is whole",
		Long: `Hash every blob, unpack every layer again and compare it with its tree, and look
for what is missing. With --repair layers are made anew from their blobs, and
damaged blobs are removed, so that the next pull brings them again. The exit
status is 1 when something stays wrong.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			found, err := s.Check(cmd.Context(), repair, func(string) {})
			if err != nil {
				return err
			}
			return tellProblems(cmd.OutOrStdout(), &o, found)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&repair, "repair", false, "repair what can be repaired without the network")
	return cmd
}

func tellProblems(w io.Writer, o *output, found []layerstore.Problem) error {
	left := 0
	for _, p := range found {
		if !p.Repaired {
			left++
		}
	}
	switch {
	case o.json || o.format == "json":
		if err := printJSON(w, append([]layerstore.Problem{}, found...)); err != nil {
			return err
		}
	case o.format != "":
		if err := printTemplate(w, o.format, found); err != nil {
			return err
		}
	default:
		for _, p := range found {
			if p.Repaired {
				fmt.Fprintf(w, "repaired: %s\n", p.What)
			} else {
				fmt.Fprintf(w, "%s (%s)\n", p.What, p.Advice)
			}
		}
		if len(found) == 0 {
			fmt.Fprintln(w, "the store is whole")
		}
	}
	if left > 0 {
		return fmt.Errorf("%d of %d problems are left", left, len(found))
	}
	return nil
}

// dfRow is one row of system df.
type dfRow struct {
	Type        string   `json:"type"`
	Total       int      `json:"total"`
	Active      int      `json:"active"`
	Size        byteSize `json:"size"`
	Reclaimable byteSize `json:"reclaimable"`
}

// TotalCount is docker's word for templates.
func (r dfRow) TotalCount() int { return r.Total }

func dfCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "df",
		Short: "Show what the store takes, and what could be given back",
		Args:  noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			u, err := s.Usage(func(n layerstore.Snapshot) (int64, bool, error) {
				weight, err := weigh(s, n)
				return weight, driver.Mounted(n), err
			})
			if err != nil {
				return err
			}
			volumes, err := volumesRow(cmd, s)
			if err != nil {
				return err
			}
			return tellUsage(cmd.OutOrStdout(), &o, u, volumes)
		},
	}
	o.add(cmd)
	return cmd
}

// volumesRow sums the volumes up; those that no container has could be given back.
func volumesRow(cmd *cobra.Command, s *shop) (dfRow, error) {
	row := dfRow{Type: "Local Volumes"}
	all, err := volumeUsages(cmd, s)
	for _, v := range all {
		row.Total, row.Size = row.Total+1, row.Size+byteSize(v.Size)
		if v.Links > 0 {
			row.Active++
		} else {
			row.Reclaimable += byteSize(v.Size)
		}
	}
	return row, err
}

func dfRowOf(what string, u layerstore.Part) dfRow {
	return dfRow{what, u.Count, u.Active, byteSize(u.Size), byteSize(u.Reclaimable)}
}

func tellUsage(w io.Writer, o *output, u layerstore.Usage, volumes dfRow) error {
	rows := []dfRow{
		dfRowOf("Images", u.Images),
		dfRowOf("Snapshots", u.Snapshots),
		volumes,
		dfRowOf("Partial downloads", u.Partial),
	}
	if o.json || o.format != "" && o.format != "table" {
		return printRows(w, o, rows, nil, nil)
	}
	t := tabwriter.NewWriter(w, 0, 8, 3, ' ', 0)
	fmt.Fprintln(t, "TYPE\tTOTAL\tACTIVE\tSIZE\tRECLAIMABLE")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\n", r.Type, r.Total, r.Active, r.Size, r.Reclaimable)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if u.Shared > 0 {
		fmt.Fprintf(w, "Images share layers: without that they would take %s more.\n", size(u.Shared))
	}
	return nil
}
