package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/driver"
)

func snapshotCommand(f *storeFlags) *cobra.Command {
	cmd := group("snapshot", "Make, mount and remove writable places on top of images")
	cmd.AddCommand(snapshotCreateCommand(f), snapshotListCommand(f), snapshotMountCommand(f), snapshotRemoveCommand(f))
	return cmd
}

func snapshotCreateCommand(f *storeFlags) *cobra.Command {
	var name string
	var labels []string
	cmd := &cobra.Command{
		Use:   "create IMAGE",
		Short: "Make a snapshot of an image",
		Long: `Make a writable place on top of an image's layers, which stay as they are and are
shared with all others. The snapshot's id is printed.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			n := layerstore.Snapshot{Name: name}
			if n.Labels, err = labelMap(labels); err != nil {
				return err
			}
			made, err := createSnapshot(cmd.Context(), s, args[0], n)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), made.ID)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "a name for it")
	cmd.Flags().StringArrayVarP(&labels, "label", "l", nil, "KEY=VALUE, kept with it; may be repeated")
	return cmd
}

func labelMap(labels []string) (map[string]string, error) {
	if len(labels) == 0 {
		return nil, nil
	}
	out := map[string]string{}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		if key == "" {
			return nil, usagef("--label=%s: KEY=VALUE is expected", label)
		}
		out[key] = value
	}
	return out, nil
}

// createSnapshot makes a snapshot of an image with the driver that is picked.
func createSnapshot(ctx context.Context, s *shop, image string, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	d, err := s.driver()
	if err != nil {
		return n, err
	}
	st, err := s.Begin()
	if err != nil {
		return n, err
	}
	defer st.Close()
	img, err := s.Find(image)
	if err != nil {
		return n, err
	}
	if err := st.Hold(nil, img.Layers); err != nil {
		return n, err
	}
	n.Layers, n.Image = img.Layers, img.ID
	return d.Prepare(ctx, st, n)
}

// snapshotRow is a row of snapshot ls.
type snapshotRow struct {
	layerstore.Snapshot
	ImageName string `json:"imageName"`
	Size      int64  `json:"size"`
}

func snapshotListCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List snapshots",
		Args:    noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			rows, err := snapshotRows(s)
			if err != nil {
				return err
			}
			return printRows(cmd.OutOrStdout(), &o, rows, func(r snapshotRow) string { return o.snapshot(&r.Snapshot) }, []column[snapshotRow]{
				{"SNAPSHOT", func(r snapshotRow) string { return o.snapshot(&r.Snapshot) }},
				{"NAME", func(r snapshotRow) string { return r.Name }},
				{"IMAGE", func(r snapshotRow) string { return r.ImageName }},
				{"CREATED", func(r snapshotRow) string { return ago(r.Created) }},
				{"DRIVER", func(r snapshotRow) string { return r.Driver }},
				{"SIZE", func(r snapshotRow) string { return size(r.Size) }},
			})
		},
	}
	o.addTable(cmd)
	return cmd
}

// snapshot is a snapshot's id for a table.
func (o *output) snapshot(n *layerstore.Snapshot) string {
	if o.noTrunc {
		return n.ID
	}
	return n.Short()
}

func snapshotRows(s *shop) ([]snapshotRow, error) {
	all, err := s.SoundSnapshots()
	if err != nil {
		return nil, err
	}
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	names := map[layerstore.ImageID]string{}
	for _, img := range images {
		names[img.ID] = img.ID.Short()
		if len(img.Names) > 0 {
			names[img.ID] = layerstore.Familiar(img.Names[0])
		}
	}
	var rows []snapshotRow
	for _, n := range all {
		weight, err := weigh(s, n)
		if err != nil {
			return nil, err
		}
		from := names[n.Image]
		if n.Base != "" {
			from = n.Base
		}
		rows = append(rows, snapshotRow{n, from, weight})
	}
	return rows, nil
}

// weigh asks a snapshot's driver what it takes.
func weigh(s *shop, n layerstore.Snapshot) (int64, error) {
	d, err := driver.Of(n, s.Store)
	if err != nil {
		return 0, err
	}
	return d.Usage(n)
}

func snapshotRemoveCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "rm SNAPSHOT…",
		Aliases: []string{"remove"},
		Short:   "Remove snapshots, and what was written to them",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			for _, what := range args {
				if err := removeSnapshot(cmd.Context(), s, what); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), what)
			}
			return nil
		},
	}
}

func removeSnapshot(ctx context.Context, s *shop, what string) error {
	n, err := s.Snapshot(what)
	if err != nil {
		return err
	}
	if n.Labels[holdLabel] != "" {
		return fmt.Errorf("snapshot %s holds an image of which a volume is made: it goes with that (unionfs volume rm)", n.Name)
	}
	d, err := driver.Of(n, s.Store)
	if err != nil {
		return err
	}
	return d.Remove(ctx, n)
}
