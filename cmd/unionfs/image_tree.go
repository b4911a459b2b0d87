package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// layerChanges is what one layer does to those below it.
type layerChanges struct {
	Layer     string         `json:"layer"`
	CreatedBy string         `json:"createdBy"`
	Size      int64          `json:"size"`
	Added     int            `json:"added"`
	Changed   int            `json:"changed"`
	Deleted   int            `json:"deleted"`
	Changes   []pathAndKinds `json:"changes,omitempty"`
}

type pathAndKinds struct {
	Path string `json:"path"`
	Kind string `json:"kind"`
}

func treeCommand(f *storeFlags) *cobra.Command {
	var o output
	var depth int
	cmd := &cobra.Command{
		Use:   "tree IMAGE",
		Short: "Show an image's layers and what each adds, changes and removes",
		Long: `Show the layers of an image, the lowest first, with the instruction that made
each, and below it how many files it adds (A), changes (C) and removes (D) in
which directories. unionfs diff lists every path.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			layers, err := changesOfImage(cmd.Context(), s, args[0])
			if err != nil {
				return err
			}
			if o.json || o.format != "" {
				return printRows(cmd.OutOrStdout(), &o, layers, nil, nil)
			}
			printLayerTree(cmd.OutOrStdout(), args[0], layers, depth)
			return nil
		},
	}
	o.add(cmd)
	cmd.Flags().IntVarP(&depth, "depth", "d", 1, "how many levels of directories to tell apart")
	return cmd
}

// changesOfImage answers the layers, the lowest first.
func changesOfImage(ctx context.Context, s *shop, what string) ([]layerChanges, error) {
	img, err := s.Find(what)
	if err != nil {
		return nil, err
	}
	rows, err := s.History(&img.Image)
	if err != nil {
		return nil, err
	}
	made := map[layerstore.DiffID]string{}
	for _, r := range historyRows(rows) {
		made[layerstore.DiffID(r.Layer)] = r.CreatedBy
	}
	var out []layerChanges
	for i, id := range img.Layers {
		info, err := s.Layer(id)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", id, err)
		}
		changes, err := s.LayerChanges(ctx, img.Layers[:i+1])
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", id, err)
		}
		l := layerChanges{Layer: string(id), CreatedBy: made[id], Size: info.Size}
		l.count(changes)
		out = append(out, l)
	}
	return out, nil
}

func (l *layerChanges) count(changes []layertar.Change) {
	for _, c := range changes {
		l.Changes = append(l.Changes, pathAndKinds{c.Path, string(rune(c.Kind))})
		switch c.Kind {
		case layertar.Added:
			l.Added++
		case layertar.Changed:
			l.Changed++
		case layertar.Deleted:
			l.Deleted++
		}
	}
}

func printLayerTree(w io.Writer, name string, layers []layerChanges, depth int) {
	var o output
	fmt.Fprintln(w, name)
	for i, l := range layers {
		branch, stem := "├── ", "│   "
		if i == len(layers)-1 {
			branch, stem = "└── ", "    "
		}
		fmt.Fprintf(w, "%s%s  %s  A %d  C %d  D %d  %s\n", branch, o.layer(l.Layer), size(l.Size), l.Added, l.Changed, l.Deleted, o.cut(l.CreatedBy, 60))
		for _, d := range directories(l.Changes, depth) {
			fmt.Fprintf(w, "%s    %s\n", stem, d)
		}
	}
}

// directories adds changes up by the first levels of their paths.
func directories(changes []pathAndKinds, depth int) []string {
	sums := map[string]*[3]int{}
	for _, c := range changes {
		at := cutPath(c.Path, depth)
		if sums[at] == nil {
			sums[at] = new([3]int)
		}
		sums[at][strings.Index("ACD", c.Kind)]++
	}
	var out []string
	for at, n := range sums {
		line := at
		for k, count := range n {
			if count > 0 {
				line += fmt.Sprintf("  %c %d", "ACD"[k], count)
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// cutPath answers the first levels of a path.
func cutPath(p string, depth int) string {
	names := strings.Split(strings.TrimPrefix(path.Clean(p), "/"), "/")
	return "/" + strings.Join(names[:min(max(depth, 1), len(names))], "/")
}
