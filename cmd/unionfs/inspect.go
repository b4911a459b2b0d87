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
	var kind string
	cmd := inspectCommandOf(f, &kind)
	cmd.Flags().StringVar(&kind, "type", "", "look for nothing but a "+strings.Join(inspectTypes, ", "))
	return cmd
}

// inspectOnly is inspect among the commands about one kind of thing.
func inspectOnly(f *storeFlags, kind string) *cobra.Command {
	cmd := inspectCommandOf(f, &kind)
	cmd.Use = "inspect " + strings.ToUpper(kind) + "…"
	cmd.Short = "Show all that is known of " + kind + "s, as JSON"
	return cmd
}

func inspectCommandOf(f *storeFlags, kind *string) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:   "inspect IMAGE|CONTAINER|SNAPSHOT|VOLUME…",
		Short: "Show all that is known of images, containers, snapshots and volumes, as JSON",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open()
			if err != nil {
				return err
			}
			if err := checkInspectType(*kind); err != nil {
				return err
			}
			return printInspected(cmd, &o, args, func(what string) (any, error) { return inspect(cmd.Context(), s, *kind, what) })
		},
	}
	o.addInspect(cmd)
	return cmd
}

// printInspected prints what look tells of each, goes on after a failure, and
// answers it in the end.
func printInspected[T any](cmd *cobra.Command, o *output, what []string, look func(what string) (T, error)) (failed error) {
	rows := []T{}
	failed = eachOf(what, func(one string) error {
		row, err := look(one)
		if err == nil {
			rows = append(rows, row)
		}
		return err
	})
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

// inspectTypes are the words of --type.
var inspectTypes = []string{"container", "image", "snapshot", "volume"}

func checkInspectType(word string) error {
	if word != "" && !slices.Contains(inspectTypes, word) {
		return usagef("--type=%s: one of %s is expected", word, strings.Join(inspectTypes, ", "))
	}
	return nil
}

// inspect looks for a container or a snapshot first, as docker does, then for an
// image, then for a volume; kind is the only one to look for, "" for all.
func inspect(ctx context.Context, s *shop, kind, what string) (any, error) {
	var failed error
	if kind == "" || kind == "container" || kind == "snapshot" {
		n, err := s.Snapshot(what)
		if err == nil {
			return inspectSnapshot(ctx, s, kind, n)
		}
		failed = err
	}
	if kind == "" || kind == "image" {
		img, err := s.Find(what)
		if err == nil {
			return inspectImage(s, &img.Image)
		}
		failed = err // it names the way to what there is
	}
	if kind == "" || kind == "volume" {
		v, err := inspectVolume(ctx, s, what)
		if err == nil {
			return v, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if kind == "" {
		failed = unknownAs(failed, what, inspectTypes...)
	}
	return nil, failed
}

func inspectSnapshot(ctx context.Context, s *shop, kind string, n layerstore.Snapshot) (any, error) {
	r := &runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}
	c, err := r.Find(n.ID)
	switch {
	case err == nil && kind != "snapshot":
		return inspectContainer(ctx, s, &c)
	case err != nil && kind == "container":
		return nil, err
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
