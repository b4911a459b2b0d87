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
		Use:   "top CONTAINER",
		Short: "List the processes of a running container",
		Args:  cobra.ExactArgs(1),
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
	return cmd
}

// statsRow is a row of stats.
type statsRow struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	CPU    float64 `json:"cpuPercent"`
	Memory int64   `json:"memory"`
	Limit  int64   `json:"memoryLimit"`
	PIDs   int64   `json:"pids"`
}

// CPUPerc, MemUsage and MemPerc are docker's words for templates.
func (r statsRow) CPUPerc() string { return fmt.Sprintf("%.2f%%", r.CPU) }

// MemUsage is what is used, and the limit.
func (r statsRow) MemUsage() string { return size(r.Memory) + " / " + limitText(r.Limit) }

// MemPerc is how much of the limit is used, "--" without one.
func (r statsRow) MemPerc() string {
	if r.Limit <= 0 {
		return "--"
	}
	return fmt.Sprintf("%.2f%%", 100*float64(r.Memory)/float64(r.Limit))
}

func statsCommand(f *storeFlags) *cobra.Command {
	var o output
	var once bool
	cmd := &cobra.Command{
		Use:   "stats [CONTAINER…]",
		Short: "Show what running containers use",
		Long: `Show processor, memory and processes of the named containers, or of all that run,
every second, or with --no-stream once.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			for {
				rows, err := statsRows(cmd, h, args)
				if err != nil {
					return err
				}
				if !once && isTerminalWriter(cmd.OutOrStdout()) {
					fmt.Fprint(cmd.OutOrStdout(), "\x1b[H\x1b[2J")
				}
				if err := printStats(cmd, &o, rows); err != nil || once {
					return err
				}
				if cmd.Context().Err() != nil {
					return nil
				}
			}
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&once, "no-stream", false, "once")
	return cmd
}

// statsRows asks twice, a second apart: what a processor does is a rate.
func statsRows(cmd *cobra.Command, h *house, names []string) ([]statsRow, error) {
	list, err := runningOnes(h, names)
	if err != nil {
		return nil, err
	}
	first := make([]runner.Stats, len(list))
	for i := range list {
		if first[i], err = h.Stats(cmd.Context(), &list[i]); err != nil {
			return nil, err
		}
	}
	select {
	case <-cmd.Context().Done():
	case <-time.After(time.Second):
	}
	var rows []statsRow
	for i := range list {
		s, err := h.Stats(cmd.Context(), &list[i])
		if err != nil {
			continue // it has ended meanwhile
		}
		row := statsRow{ID: list[i].ID, Name: list[i].Name, Memory: s.MemoryBytes, Limit: s.MemoryLimit, PIDs: s.PIDs}
		if passed := s.At.Sub(first[i].At); passed > 0 {
			row.CPU = 100 * float64(s.CPUNanos-first[i].CPUNanos) / float64(passed.Nanoseconds())
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func runningOnes(h *house, names []string) ([]runner.Container, error) {
	var out []runner.Container
	for _, name := range names {
		c, err := h.Runner.Find(name)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	if len(names) > 0 {
		return out, nil
	}
	all, err := h.List()
	for i := range all {
		if all[i].State.Status == runner.Running {
			out = append(out, all[i])
		}
	}
	return out, err
}

func printStats(cmd *cobra.Command, o *output, rows []statsRow) error {
	return printRows(cmd.OutOrStdout(), o, rows, nil, []column[statsRow]{
		{"CONTAINER ID", func(r statsRow) string { return o.container(r.ID) }},
		{"NAME", func(r statsRow) string { return r.Name }},
		{"CPU %", statsRow.CPUPerc},
		{"MEM USAGE / LIMIT", statsRow.MemUsage},
		{"PIDS", func(r statsRow) string { return fmt.Sprint(r.PIDs) }},
	})
}

func limitText(n int64) string {
	if n <= 0 {
		return "no limit"
	}
	return size(n)
}
