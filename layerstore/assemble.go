package layerstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Assembly is an image that is made here of layers that the stage holds.
type Assembly struct {
	// Config is the image's config; its rootfs is filled in from Layers.
	Config v1.ConfigFile
	Layers []AssemblyLayer // the lowest first
	Names  []string        // normalized
}

// AssemblyLayer is a layer and how it travels.
type AssemblyLayer struct {
	DiffID DiffID
	Descriptor
}

// Travels is how a layer made here goes into a manifest.
func (l LayerInfo) Travels() AssemblyLayer {
	return AssemblyLayer{l.DiffID, Descriptor{Blob: l.Blob, Size: l.Packed, MediaType: string(types.OCILayer)}}
}

// LayersOf are an image's layers, to build upon.
func (f *Found) LayersOf() []AssemblyLayer {
	var out []AssemblyLayer
	for i, id := range f.Layers {
		out = append(out, AssemblyLayer{id, f.Manifest.Layers[i]})
	}
	return out
}

// Assemble writes config and manifest (OCI image-spec, config.md and
// manifest.md) and publishes the image.
func (st *Stage) Assemble(a Assembly) (Image, error) {
	cfg := a.Config
	cfg.RootFS = v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}
	for _, l := range a.Layers {
		cfg.RootFS.DiffIDs = append(cfg.RootFS.DiffIDs, hashOf(Digest(l.DiffID)))
	}
	rawConfig, err := json.Marshal(cfg)
	if err != nil {
		return Image{}, err
	}
	return st.AssembleRaw(rawConfig, a.Layers, a.Names)
}

// AssembleRaw is Assemble for a config whose bytes stay as they are: it is
// that of an image made elsewhere, and names the layers already.
func (st *Stage) AssembleRaw(rawConfig []byte, chain []AssemblyLayer, names []string) (Image, error) {
	config, err := st.PutBlob(rawConfig)
	if err != nil {
		return Image{}, err
	}
	rawManifest, layers, err := manifestOf(config, len(rawConfig), chain)
	if err != nil {
		return Image{}, err
	}
	manifest, err := st.PutBlob(rawManifest)
	if err != nil {
		return Image{}, err
	}
	return st.PublishImage(NewImage{
		Config:   config,
		Manifest: Manifest{Digest: manifest, MediaType: string(types.OCIManifestSchema1), Layers: layers},
		Names:    names,
	})
}

// manifestOf writes an OCI manifest: the layers of a docker base keep their
// bytes and get the OCI names of their media types.
func manifestOf(config Digest, size int, layers []AssemblyLayer) ([]byte, []Descriptor, error) {
	m := v1.Manifest{
		SchemaVersion: 2,
		MediaType:     types.OCIManifestSchema1,
		Config:        v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(size), Digest: hashOf(config)},
		Layers:        []v1.Descriptor{},
	}
	var out []Descriptor
	for _, l := range layers {
		l.MediaType = string(ociLayer(types.MediaType(l.MediaType)))
		out = append(out, l.Descriptor)
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.MediaType(l.MediaType), Size: l.Size, Digest: hashOf(l.Blob)})
	}
	raw, err := json.Marshal(m)
	return raw, out, err
}

func ociLayer(t types.MediaType) types.MediaType {
	switch t {
	case types.DockerLayer:
		return types.OCILayer
	case types.DockerUncompressedLayer:
		return types.OCIUncompressedLayer
	case types.DockerForeignLayer:
		return types.OCIRestrictedLayer
	}
	return t
}

func hashOf(d Digest) v1.Hash { return v1.Hash{Algorithm: "sha256", Hex: d.Hex()} }

// CommitOptions say how a snapshot becomes an image.
type CommitOptions struct {
	Names   []string // normalized
	Author  string
	Message string
	// Command is what history shows as having made the layer.
	Command string
	// Config, when set, changes the config that the image inherits.
	Config func(*v1.Config)
	// Created stamps image and history; zero is now.
	Created time.Time
}

// Commit appends one layer, already made by the stage, to the image that a
// snapshot was made from. base is nil for a snapshot that began with nothing.
func (st *Stage) Commit(base *Found, layer LayerInfo, o CommitOptions) (Image, error) {
	if o.Created.IsZero() {
		o.Created = time.Now().UTC()
	}
	a := Assembly{Names: o.Names}
	if base != nil {
		cfg, err := st.s.Config(base.ID)
		if err != nil {
			return Image{}, err
		}
		a.Config, a.Layers = *cfg, base.LayersOf()
	} else {
		a.Config.OS, a.Config.Architecture = hostPlatform()
	}
	a.Layers = append(a.Layers, layer.Travels())
	a.Config.Created = v1.Time{Time: o.Created}
	if o.Author != "" {
		a.Config.Author = o.Author
	}
	a.Config.History = append(a.Config.History, v1.History{
		Created: v1.Time{Time: o.Created}, CreatedBy: o.Command, Author: o.Author, Comment: o.Message,
	})
	a.Config.Container = "" // the one that made the base
	if o.Config != nil {
		o.Config(&a.Config.Config)
	}
	return st.Assemble(a)
}

// HistoryRow is one row of an image's history.
type HistoryRow struct {
	v1.History
	Layer DiffID // "" for an instruction that made no layer
	Size  int64
}

// History pairs an image's history with its layers, the newest first. A
// history that says less than there are layers gets rows without words.
func (s *Store) History(img *Image) ([]HistoryRow, error) {
	cfg, err := s.Config(img.ID)
	if err != nil {
		return nil, err
	}
	var rows []HistoryRow
	next := 0
	for _, h := range cfg.History {
		row := HistoryRow{History: h}
		if !h.EmptyLayer && next < len(img.Layers) {
			row.Layer = img.Layers[next]
			next++
		}
		rows = append(rows, row)
	}
	for ; next < len(img.Layers); next++ {
		rows = append(rows, HistoryRow{Layer: img.Layers[next]})
	}
	for i := range rows {
		if rows[i].Layer == "" {
			continue
		}
		info, err := s.Layer(rows[i].Layer)
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", rows[i].Layer, err)
		}
		rows[i].Size = info.Size
		rows[i].CreatedBy = strings.TrimSpace(rows[i].CreatedBy)
	}
	slices.Reverse(rows)
	return rows, nil
}
