package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"unionfs/layerstore"
)

// imageRow is one name of an image, or an image without any.
type imageRow struct {
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	Digest     string    `json:"digest"`
	ID         string    `json:"id"`
	Created    time.Time `json:"created"`
	Size       byteSize  `json:"size"`
	Layers     int       `json:"layers"`
}

// CreatedSince and CreatedAt are docker's words for templates.
func (r imageRow) CreatedSince() string { return ago(r.Created) }

// CreatedAt is when.
func (r imageRow) CreatedAt() string { return dockerTime(r.Created) }

func imagesCommand(f *storeFlags) *cobra.Command {
	var o output
	var digests bool
	var filters []string
	cmd := &cobra.Command{
		Use:   "images [NAME]",
		Short: "List images",
		Long: `List the images in the store, one row for each name. SIZE is what the image's
layers hold, shared ones included: unionfs system df tells what they take. A filter
is dangling=true or false, reference=PATTERN, label=KEY[=VALUE], before=IMAGE or
since=IMAGE; names may have the wildcards of a shell in a pattern.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			rows, err := imageRows(s, args)
			if err == nil {
				rows, err = filterImages(s, rows, filters)
			}
			if err != nil {
				return err
			}
			if o.format != "" && o.format != "json" { // as docker's templates have them
				for i := range rows {
					rows[i].ID = o.id(rows[i].ID)
				}
			}
			return printRows(cmd.OutOrStdout(), &o, rows, func(r imageRow) string { return o.id(r.ID) }, imageColumns(&o, digests))
		},
	}
	o.addTable(cmd)
	cmd.Flags().StringArrayVarP(&filters, "filter", "f", nil, "which to list; may be repeated")
	cmd.Flags().BoolVar(&digests, "digests", false, "show the manifests' digests")
	return cmd
}

func imageColumns(o *output, digests bool) []column[imageRow] {
	columns := []column[imageRow]{
		{"REPOSITORY", func(r imageRow) string { return r.Repository }},
		{"TAG", func(r imageRow) string { return r.Tag }},
	}
	if digests {
		columns = append(columns, column[imageRow]{"DIGEST", func(r imageRow) string { return r.Digest }})
	}
	return append(columns,
		column[imageRow]{"IMAGE ID", func(r imageRow) string { return o.id(r.ID) }},
		column[imageRow]{"CREATED", func(r imageRow) string { return ago(r.Created) }},
		column[imageRow]{"LAYERS", func(r imageRow) string { return strconv.Itoa(r.Layers) }},
		column[imageRow]{"SIZE", func(r imageRow) string { return r.Size.String() }},
	)
}

// id is an id for a table.
func (o *output) id(id string) string {
	if o.noTrunc {
		return id
	}
	return layerstore.ImageID(id).Short()
}

func imageRows(s *shop, args []string) ([]imageRow, error) {
	images, err := s.Images()
	if err != nil {
		return nil, err
	}
	want := ""
	if len(args) > 0 {
		want = args[0]
	}
	var rows []imageRow
	for _, img := range images {
		row, err := imageOf(s, img)
		if err != nil {
			return nil, err
		}
		if len(img.Names) == 0 && want == "" {
			rows = append(rows, row)
		}
		for _, name := range img.Names {
			row.Repository, row.Tag = repositoryAndTag(layerstore.Familiar(name))
			if want == "" || row.Repository == want || row.Repository+":"+row.Tag == want {
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func imageOf(s *shop, img layerstore.Image) (imageRow, error) {
	row := imageRow{Repository: "<none>", Tag: "<none>", ID: string(img.ID), Layers: len(img.Layers)}
	if len(img.Manifests) > 0 {
		row.Digest = string(img.Manifests[0].Digest)
	}
	if cfg, err := s.Config(img.ID); err == nil {
		row.Created = cfg.Created.Time
	}
	for _, l := range img.Layers {
		info, err := s.Layer(l)
		if err != nil {
			continue // system check tells of a missing layer
		}
		row.Size += byteSize(info.Size)
	}
	return row, nil
}

// repositoryAndTag cuts a familiar name at its tag or digest.
func repositoryAndTag(name string) (repository, tag string) {
	if repository, digest, ok := strings.Cut(name, "@"); ok {
		return repository, digest
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, "<none>"
}
