package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
)

// historyRow is one instruction of an image.
type historyRow struct {
	Layer     string    `json:"layer"`
	Created   time.Time `json:"created"`
	CreatedBy string    `json:"createdBy"`
	Size      byteSize  `json:"size"`
	Comment   string    `json:"comment"`
}

// ID, CreatedSince and CreatedAt are docker's words for templates.
func (r historyRow) ID() string { return r.Layer }

// CreatedSince is how long ago.
func (r historyRow) CreatedSince() string { return ago(r.Created) }

// CreatedAt is when.
func (r historyRow) CreatedAt() string { return dockerTime(r.Created) }

func historyCommand(f *storeFlags) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "history IMAGE",
		Short: "Show what made an image, layer by layer",
		Long:  "List the instructions that made an image, the newest first, with the layer that each made and its size.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			img, err := s.Find(args[0])
			if err != nil {
				return err
			}
			rows, err := s.History(&img.Image)
			if err != nil {
				return err
			}
			return printRows(cmd.OutOrStdout(), &o, historyRows(rows), func(r historyRow) string { return r.Layer }, []column[historyRow]{
				{"LAYER", func(r historyRow) string { return o.layer(r.Layer) }},
				{"CREATED", func(r historyRow) string { return ago(r.Created) }},
				{"CREATED BY", func(r historyRow) string { return o.cut(r.CreatedBy, 60) }},
				{"SIZE", func(r historyRow) string { return r.Size.String() }},
				{"COMMENT", func(r historyRow) string { return r.Comment }},
			})
		},
	}
	o.addTable(cmd)
	return cmd
}

func historyRows(rows []layerstore.HistoryRow) []historyRow {
	var out []historyRow
	for _, r := range rows {
		out = append(out, historyRow{string(r.Layer), r.Created.Time, strings.TrimPrefix(r.CreatedBy, "/bin/sh -c #(nop) "), byteSize(r.Size), r.Comment})
	}
	return out
}

// layer is a DiffID for a table; instructions without one have a dash.
func (o *output) layer(id string) string {
	switch {
	case id == "":
		return "-"
	case o.noTrunc:
		return id
	}
	return layerstore.DiffID(id).Hex()[:12]
}
