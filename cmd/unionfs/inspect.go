package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"unionfs/layerstore"
	"unionfs/runner"
)

// imageInspect is what inspect tells of an image, under docker's names.
type imageInspect struct {
	ID           string `json:"Id"`
	RepoTags     []string
	RepoDigests  []string
	Created      time.Time
	Author       string
	Architecture string
	Variant      string `json:",omitempty"`
	Os           string
	Size         int64
	Config       v1.Config
	RootFS       inspectRootFS
	Manifests    []layerstore.Manifest
	History      []v1.History
}

type inspectRootFS struct {
	Type     string
	Layers   []layerstore.DiffID
	ChainID  layerstore.ChainID
	Unpacked []string // the layers' trees, the lowest first
}

func inspectCommand(f *storeFlags) *cobra.Command {
	var o output
	var kind string
	cmd := &cobra.Command{
		Use:   "inspect IMAGE|CONTAINER|SNAPSHOT|VOLUME…",
		Short: "Show all that is known of images, containers, snapshots and volumes, as JSON",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			if err := checkInspectType(kind); err != nil {
				return err
			}
			return printInspected(cmd, &o, args, func(what string) (any, error) { return inspect(cmd.Context(), s, kind, what) })
		},
	}
	o.addInspect(cmd)
	cmd.Flags().StringVar(&kind, "type", "", "look for nothing but a "+strings.Join(inspectTypes, ", "))
	return cmd
}

// printInspected prints what look tells of each, goes on after a failure, and
// answers it in the end.
func printInspected[T any](cmd *cobra.Command, o *output, what []string, look func(what string) (T, error)) (failed error) {
	rows := []T{}
	for _, one := range what {
		row, err := look(one)
		if err == nil {
			rows = append(rows, row)
			continue
		}
		if failed != nil {
			say("%v", failed)
		}
		failed = err
	}
	if len(rows) == 0 {
		return failed
	}
	if o.format == "" || o.format == "json" {
		return errors.Join(printJSON(cmd.OutOrStdout(), rows), failed)
	}
	return errors.Join(printInspectTemplate(cmd.OutOrStdout(), o.format, rows), failed)
}

// printInspectTemplate takes the names that the JSON has, too, as docker's does:
// {{.Id}} is the most usual one.
func printInspectTemplate[T any](w io.Writer, format string, rows []T) error {
	var out bytes.Buffer
	err := printTemplate(&out, format, rows)
	if err != nil {
		named := make([]any, len(rows))
		text, jerr := json.Marshal(rows)
		if jerr != nil || json.Unmarshal(text, &named) != nil {
			return err
		}
		out.Reset()
		if printTemplate(&out, format, named, "missingkey=error") != nil {
			return err
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}

// inspect looks for a container or a snapshot first, as docker does, then for an
// image, then for a volume; kind is the only one to look for, "" for all.
func inspect(ctx context.Context, s *shop, kind, what string) (any, error) {
	looks := []struct {
		kinds []string
		look  func() (any, error)
	}{
		{[]string{"container", "snapshot"}, func() (any, error) { return inspectSnapshot(ctx, s, kind, what) }},
		{[]string{"image"}, func() (any, error) {
			img, err := s.Find(what)
			if err != nil {
				return nil, err
			}
			return inspectImage(s, &img.Image)
		}},
		{[]string{"volume"}, func() (any, error) { return inspectVolume(ctx, s, what) }},
	}
	var failed error
	for _, l := range looks {
		if kind != "" && !slices.Contains(l.kinds, kind) {
			continue
		}
		v, err := l.look()
		if err == nil {
			return v, nil
		}
		if failed == nil || l.kinds[0] == "image" { // its error names the way to what there is
			failed = err
		}
	}
	return nil, failed
}

func inspectSnapshot(ctx context.Context, s *shop, kind, what string) (any, error) {
	n, err := s.Snapshot(what)
	if err != nil {
		return nil, err
	}
	r := &runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}
	c, cerr := r.Find(n.ID)
	switch {
	case cerr == nil && kind != "snapshot":
		return inspectContainer(ctx, s, &c)
	case cerr != nil && kind == "container":
		return nil, cerr
	}
	return n, nil
}

func inspectImage(s *shop, img *layerstore.Image) (imageInspect, error) {
	cfg, err := s.Config(img.ID)
	if err != nil {
		return imageInspect{}, err
	}
	out := imageInspect{
		ID: string(img.ID), Created: cfg.Created.Time, Author: cfg.Author, Config: cfg.Config,
		Architecture: cfg.Architecture, Variant: cfg.Variant, Os: cfg.OS, History: cfg.History, Manifests: img.Manifests,
		RootFS: inspectRootFS{Type: "layers", Layers: img.Layers, ChainID: img.Chain()},
	}
	for _, name := range img.Names {
		out.RepoTags = append(out.RepoTags, layerstore.Familiar(name))
		repository, _ := repositoryAndTag(layerstore.Familiar(name))
		for _, m := range img.Manifests {
			out.RepoDigests = append(out.RepoDigests, repository+"@"+string(m.Digest))
		}
	}
	for _, l := range img.Layers {
		out.RootFS.Unpacked = append(out.RootFS.Unpacked, s.LayerDir(l))
		if info, err := s.Layer(l); err == nil {
			out.Size += info.Size
		}
	}
	return out, nil
}
