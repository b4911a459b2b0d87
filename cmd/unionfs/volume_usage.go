package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"unionfs/runner"
	"unionfs/volumes"
)

// volumeUsers answers which containers have a volume.
func (s *shop) volumeUsers() volumes.Users {
	return (&runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}).VolumeUsers
}

// volumeUsage is a row of volume df.
type volumeUsage struct {
	Name    string    `json:"name"`
	Driver  string    `json:"driver"`
	Links   int       `json:"links"` // containers that have it
	Size    int64     `json:"size"`
	Shared  int64     `json:"shared"`
	Created time.Time `json:"created"`
}

// volumeUsages is what each volume takes.
func volumeUsages(cmd *cobra.Command, s *shop) ([]volumeUsage, error) {
	store, err := s.volumeStore(0)
	if err != nil {
		return nil, err
	}
	all, err := store.List(cmd.Context())
	if err != nil {
		return nil, err
	}
	weights, err := store.Usage(cmd.Context())
	if err != nil {
		return nil, err
	}
	var rows []volumeUsage
	users := s.volumeUsers()
	for _, v := range all {
		by, err := users(v.Name)
		if err != nil {
			return nil, err
		}
		w := weights[v.Name]
		rows = append(rows, volumeUsage{v.Name, v.Driver, len(by), w.Own, w.Shared, v.CreatedAt})
	}
	return rows, nil
}

func volumeUsageCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "df",
		Short: "Show what volumes take on disk",
		Long: `Show what each volume takes in the store, its snapshots included. LINKS is how many
containers have it; SHARED is what it has in common with other volumes. What plugins
keep, and what is mounted from elsewhere, isn't in the store.`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			rows, err := volumeUsages(cmd, h.shop)
			if err != nil {
				return err
			}
			return printRows(cmd.OutOrStdout(), &o, rows, func(r volumeUsage) string { return r.Name }, []column[volumeUsage]{
				{"VOLUME NAME", func(r volumeUsage) string { return r.Name }},
				{"LINKS", func(r volumeUsage) string { return fmt.Sprint(r.Links) }},
				{"SIZE", func(r volumeUsage) string { return size(r.Size) }},
				{"SHARED", func(r volumeUsage) string { return size(r.Shared) }},
			})
		},
	}
	o.add(cmd)
	return cmd
}
