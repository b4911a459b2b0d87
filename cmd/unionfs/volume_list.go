package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"unionfs/volumes"
)

// volumeRow is a row of volume ls, under docker's names.
type volumeRow struct {
	Driver     string `json:"driver"`
	Name       string `json:"name"`
	Scope      string `json:"scope"`
	Mountpoint string `json:"mountpoint"`
	Labels     string `json:"labels"`
	// State says who has it now.
	State string `json:"state"`
	v     *volumes.Volume
}

// Label is one label's value, for templates.
func (r volumeRow) Label(key string) string { return r.v.Labels[key] }

func volumeListCommand(f *storeFlags) *cobra.Command {
	var o output
	var filters []string
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List volumes",
		Long: `List volumes, those of plugins too, whoever made them. STATE is how many uses each has now; "leaked" are those whose
process was killed and whose driver couldn't be told yet: the next command tries
again. Filters: name=PART, driver=NAME, label=KEY[=VALUE], dangling=true|false
(whether no container has it).`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			keep, err := volumeFilter(filters, h.VolumeUsers)
			if err != nil {
				return err
			}
			store, err := h.volumeStore(0)
			if err != nil {
				return err
			}
			all, err := store.ListAll(cmd.Context())
			if err != nil {
				return err
			}
			var rows []volumeRow
			for i := range all {
				ok, err := keep(&all[i])
				if err != nil {
					return err
				}
				if ok {
					rows = append(rows, volumeRowOf(&all[i]))
				}
			}
			return printRows(cmd.OutOrStdout(), &o, rows, func(r volumeRow) string { return r.Name }, []column[volumeRow]{
				{"DRIVER", func(r volumeRow) string { return r.Driver }},
				{"VOLUME NAME", func(r volumeRow) string { return r.Name }},
				{"STATE", func(r volumeRow) string { return r.State }},
			})
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print names alone")
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "KEY=VALUE; may be repeated")
	return cmd
}

func volumeRowOf(v *volumes.Volume) volumeRow {
	return volumeRow{v.Driver, v.Name, v.Scope, v.Mountpoint, labelText(v.Labels), volumeState(v), v}
}

// labelText is docker's form of labels in a cell.
func labelText(labels map[string]string) string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, key+"="+labels[key])
	}
	return strings.Join(out, ",")
}

func volumeState(v *volumes.Volume) string {
	var out []string
	if n := len(v.Uses); n > 0 {
		out = append(out, fmt.Sprintf("in use (%d)", n))
	}
	if n := len(v.Leaked); n > 0 {
		out = append(out, fmt.Sprintf("leaked (%d)", n))
	}
	if v.Status["Missing"] != nil {
		out = append(out, "missing")
	}
	return strings.Join(out, ", ")
}

// volumeFilter reads --filter. Filters of one key are alternatives, those of
// several keys must all be met; of labels each must be met.
func volumeFilter(words []string, users volumes.Users) (func(v *volumes.Volume) (bool, error), error) {
	by := map[string][]string{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		if !ok || value == "" {
			return nil, usagef("--filter=%s: KEY=VALUE is expected", word)
		}
		switch key {
		case "name", "driver", "label", "label!":
		case "dangling":
			if value != "true" && value != "false" && value != "1" && value != "0" {
				return nil, usagef("--filter=%s: true or false is expected", word)
			}
		default:
			return nil, usagef("--filter=%s: there are name, driver, label and dangling", word)
		}
		by[key] = append(by[key], value)
	}
	return func(v *volumes.Volume) (bool, error) {
		for key, values := range by {
			ok, err := volumeMatches(v, key, values, users)
			if err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	}, nil
}

func volumeMatches(v *volumes.Volume, key string, values []string, users volumes.Users) (bool, error) {
	switch key {
	case "name":
		return slices.ContainsFunc(values, func(part string) bool { return strings.Contains(v.Name, part) }), nil
	case "driver":
		return slices.Contains(values, v.Driver), nil
	case "label":
		return !slices.ContainsFunc(values, func(want string) bool { return !hasLabel(v.Labels, want) }), nil
	case "label!":
		return !slices.ContainsFunc(values, func(want string) bool { return hasLabel(v.Labels, want) }), nil
	}
	by, err := users(v.Name)
	dangling := len(by) == 0 && len(v.Uses) == 0
	want := values[len(values)-1]
	return dangling == (want == "true" || want == "1"), err
}

// volumeInspect is what volume inspect tells, under docker's names.
type volumeInspect struct {
	CreatedAt  time.Time
	Driver     string
	Labels     map[string]string
	Mountpoint string
	Name       string
	Options    map[string]string
	Scope      string
	Status     map[string]any `json:",omitempty"`
	Anonymous  bool
	UsedBy     []string // containers, whether they run or not
	Uses       []string
	Leaked     []string           `json:",omitempty"`
	Snapshots  []volumes.Snapshot `json:",omitempty"`
}

func volumeInspectCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "inspect VOLUME…",
		Short: "Show all that is known of volumes, as JSON",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			return printInspected(cmd, &o, args, func(name string) (volumeInspect, error) { return inspectVolume(cmd.Context(), h.shop, name) })
		},
	}
	o.addInspect(cmd)
	return cmd
}

func inspectVolume(ctx context.Context, s *shop, name string) (volumeInspect, error) {
	store, err := s.volumeStore(0)
	if err != nil {
		return volumeInspect{}, err
	}
	v, err := store.Look(ctx, name)
	if err != nil {
		return volumeInspect{}, err
	}
	by, err := s.volumeUsers()(name)
	return volumeInspect{
		v.CreatedAt, v.Driver, v.Labels, v.Mountpoint, v.Name, v.Options, v.Scope, v.Status,
		v.Anonymous, by, v.Uses, v.Leaked, v.Snapshots,
	}, err
}

// optionMap reads -o KEY=VALUE.
func optionMap(words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if key == "" {
			return nil, usagef("--opt=%s: KEY=VALUE is expected", word)
		}
		out[key] = value
	}
	return out, nil
}
