package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"unionfs/runner"
)

// psRow is a row of ps, by docker's names.
type psRow struct {
	ID      string
	Names   string
	Image   string
	Command string
	State   string
	Status  string
	Created time.Time
	Ports   string
	Labels  map[string]string
	Exit    int

	CreatedAt  string
	RunningFor string
	Mounts     string
	Networks   string
}

func psCommand(f *storeFlags) *cobra.Command {
	var o output
	var all, latest bool
	var last int
	var filters []string
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List containers",
		Long: `List the containers that run, or with -a all. A filter is status=running,
name=PART, label=KEY[=VALUE], ancestor=IMAGE, id=BEGINNING, exited=CODE,
volume=NAME|PLACE, before=CONTAINER or since=CONTAINER; several must all be met.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			list, err := h.List()
			if err != nil {
				return err
			}
			list, err = filterContainers(list, filters)
			if err != nil {
				return err
			}
			if latest {
				last = 1
			}
			if last > 0 {
				all, list = true, list[:min(last, len(list))]
			}
			all = all || slices.ContainsFunc(filters, isStatus)
			var rows []psRow
			for i := range list {
				if c := &list[i]; all || c.State.Status == runner.Running {
					rows = append(rows, psRowOf(c, portsOf(h.Runner, c)))
				}
			}
			return printRows(cmd.OutOrStdout(), &o, rows, func(r psRow) string { return o.container(r.ID) }, []column[psRow]{
				{"CONTAINER ID", func(r psRow) string { return o.container(r.ID) }},
				{"IMAGE", func(r psRow) string { return r.Image }},
				{"COMMAND", func(r psRow) string { return o.cut(`"`+r.Command+`"`, 22) }},
				{"CREATED", func(r psRow) string { return ago(r.Created) }},
				{"STATUS", func(r psRow) string { return r.Status }},
				{"PORTS", func(r psRow) string { return r.Ports }},
				{"NAMES", func(r psRow) string { return r.Names }},
			})
		},
	}
	o.addTable(cmd)
	cmd.Flags().BoolVarP(&all, "all", "a", false, "also those that don't run")
	cmd.Flags().BoolVarP(&latest, "latest", "l", false, "the newest alone, whatever it does")
	cmd.Flags().IntVarP(&last, "last", "n", -1, "so many of the newest, whatever they do")
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "which to list; may be repeated")
	return cmd
}

// container is a container's id for a table.
func (o *output) container(id string) string {
	if o.noTrunc {
		return id
	}
	return id[:min(12, len(id))]
}

// portsOf are those of a container that runs.
func portsOf(r *runner.Runner, c *runner.Container) string {
	if c.State.Status != runner.Running {
		return ""
	}
	ports, err := r.Ports(c)
	if err != nil {
		return "" // its image is gone
	}
	var words []string
	for _, p := range ports {
		words = append(words, p.String())
	}
	return strings.Join(words, ", ")
}

func psRowOf(c *runner.Container, ports string) psRow {
	return psRow{
		ID: c.ID, Names: c.Name, Image: c.Spec.Image + c.Spec.Rootfs, Command: strings.Join(c.Spec.CommandLine(), " "),
		State: statusWord(&c.State), Status: statusText(c.State, c.Created), Created: c.Created,
		Ports: ports, Labels: c.Labels, Exit: c.State.ExitCode,
		CreatedAt: dockerTime(c.Created), RunningFor: ago(c.Created),
		Mounts: mountNames(c), Networks: c.Spec.NetMode,
	}
}

// statusText is docker's: "Up 5 minutes", "Exited (0) 2 hours ago", "Created".
func statusText(s runner.State, created time.Time) string {
	switch s.Status {
	case runner.Running:
		up := "Up " + strings.TrimSpace(humanize.RelTime(s.StartedAt, time.Now(), "", ""))
		if s.Paused {
			up += " (Paused)"
		}
		return up
	case runner.Exited:
		at := s.FinishedAt
		if at.IsZero() {
			at = created
		}
		return fmt.Sprintf("Exited (%d) %s", s.ExitCode, ago(at))
	}
	return "Created"
}

// statusWord is docker's word for what a container does.
func statusWord(s *runner.State) string {
	if s.Paused {
		return "paused"
	}
	return string(s.Status)
}

// mountNames are volumes by name, and binds by what is bound.
func mountNames(c *runner.Container) string {
	var names []string
	for _, m := range c.Storage() {
		if m.Source != "" {
			names = append(names, m.Source)
		}
	}
	return strings.Join(names, ",")
}

// isStatus tells whether a filter is about what containers do.
func isStatus(filter string) bool {
	return strings.HasPrefix(filter, "status=") || strings.HasPrefix(filter, "exited=")
}

func filterContainers(list []runner.Container, filters []string) ([]runner.Container, error) {
	whole := slices.Clone(list)
	for _, filter := range filters {
		key, value, _ := strings.Cut(filter, "=")
		keep, ok := containerFilters[key]
		if key == "before" || key == "since" {
			than, err := runner.Among(whole, value)
			if err != nil {
				return nil, fmt.Errorf("--filter=%s: %w", filter, err)
			}
			keep, ok = func(c *runner.Container, _ string) bool {
				return key == "before" && c.Created.Before(than.Created) || key == "since" && c.Created.After(than.Created)
			}, true
		}
		if !ok || value == "" {
			return nil, usagef("--filter=%s: status, name, label, ancestor, id, exited, volume, before or since, = and a value are expected", filter)
		}
		list = slices.DeleteFunc(list, func(c runner.Container) bool { return !keep(&c, value) })
	}
	return list, nil
}

var containerFilters = map[string]func(c *runner.Container, value string) bool{
	"status": func(c *runner.Container, value string) bool { return statusWord(&c.State) == value },
	"name":   func(c *runner.Container, value string) bool { return strings.Contains(c.Name, value) },
	"id":     func(c *runner.Container, value string) bool { return strings.HasPrefix(c.ID, value) },
	"exited": func(c *runner.Container, value string) bool {
		return c.State.Status == runner.Exited && fmt.Sprint(c.State.ExitCode) == value
	},
	"volume": func(c *runner.Container, value string) bool {
		return slices.ContainsFunc(c.Storage(), func(m runner.Mount) bool { return m.Source == value || m.Target == value })
	},
	"label": func(c *runner.Container, value string) bool {
		return hasLabel(c.Labels, value)
	},
	"ancestor": func(c *runner.Container, value string) bool {
		return c.Spec.Image == value || strings.HasPrefix(c.Image.Hex(), strings.TrimPrefix(value, "sha256:"))
	},
}
