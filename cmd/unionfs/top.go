package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

func topCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "top CONTAINER [PS-OPTION…]",
		Short: "List the processes of a running container",
		Long: `List the processes of a running container, by the machine's numbers. What stands
behind the container is for ps(1), as in -o pid,etime,args; words as pid, user and
args are columns.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			rows, err := h.Top(cmd.Context(), &c)
			if err != nil {
				return err
			}
			if len(args) > 1 {
				return topByPS(cmd, rows, args[1:])
			}
			return printRows(cmd.OutOrStdout(), &o, rows, nil, []column[runner.ProcessRow]{
				{"UID", func(r runner.ProcessRow) string { return r.UID }},
				{"PID", func(r runner.ProcessRow) string { return fmt.Sprint(r.PID) }},
				{"PPID", func(r runner.ProcessRow) string { return fmt.Sprint(r.PPID) }},
				{"TIME", func(r runner.ProcessRow) string { return r.CPU.Round(10 * time.Millisecond).String() }},
				{"CMD", func(r runner.ProcessRow) string { return r.Command }},
			})
		},
	}
	o.add(cmd)
	cmd.Flags().SetInterspersed(false) // the rest is for ps
	return cmd
}
