package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// statsRow is a row of stats.
type statsRow struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	CPU    float64 `json:"cpuPercent"`
	Memory int64   `json:"memory"`
	Limit  int64   `json:"memoryLimit"`
	PIDs   int64   `json:"pids"`

	Received int64 `json:"netReceived"`
	Sent     int64 `json:"netSent"`
	Read     int64 `json:"blockRead"`
	Written  int64 `json:"blockWritten"`
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

// NetIO is what came and went over the network.
func (r statsRow) NetIO() string { return size(r.Received) + " / " + size(r.Sent) }

// BlockIO is what went from and to disks.
func (r statsRow) BlockIO() string { return size(r.Read) + " / " + size(r.Written) }

// Container is docker's word for what was asked for.
func (r statsRow) Container() string { return r.ID }

func statsCommand(f *storeFlags) *cobra.Command {
	var o output
	var once bool
	cmd := &cobra.Command{
		Use:   "stats [CONTAINER…]",
		Short: "Show what running containers use",
		Long: `Show processor, memory, network, disks and processes of the named containers, or of all that run,
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
		row := statsRow{
			ID: list[i].ID, Name: list[i].Name, Memory: s.MemoryBytes, Limit: s.MemoryLimit, PIDs: s.PIDs,
			Received: s.ReceivedBytes, Sent: s.SentBytes, Read: s.ReadBytes, Written: s.WrittenBytes,
		}
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
		{"MEM %", statsRow.MemPerc},
		{"NET I/O", statsRow.NetIO},
		{"BLOCK I/O", statsRow.BlockIO},
		{"PIDS", func(r statsRow) string { return fmt.Sprint(r.PIDs) }},
	})
}

func limitText(n int64) string {
	if n <= 0 {
		return "no limit"
	}
	return size(n)
}
