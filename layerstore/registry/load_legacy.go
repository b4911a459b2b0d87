package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
)

// legacyLayer is ID/json in archives from before docker 1.10: a layer with the
// config that the image had when it was made (moby's image-spec v1.0).
type legacyLayer struct {
	v1.ConfigFile
	Parent          string    `json:"parent"`
	ContainerConfig v1.Config `json:"container_config"`
}

// longestChain is more layers than any image has.
const longestChain = 1024

// loadLegacy loads archives with one folder per layer and no manifest.json.
func (l *loader) loadLegacy(ctx context.Context, raw []byte) error {
	var repositories map[string]map[string]string
	if err := json.Unmarshal(raw, &repositories); err != nil {
		return fmt.Errorf("repositories can't be read: %w", err)
	}
	names := map[string][]string{}
	for repository, tags := range repositories {
		for tag, id := range tags {
			if l.wants([]string{repository + ":" + tag}) {
				names[id] = append(names[id], repository+":"+tag)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[id])
		if err := l.loadChain(ctx, id, names[id]); err != nil {
			return fmt.Errorf("image %s: %w", names[id][0], err)
		}
	}
	return nil
}

func (l *loader) loadChain(ctx context.Context, top string, tags []string) error {
	names, err := repoTags(tags)
	if err != nil {
		return err
	}
	ids, chain, err := l.chain(top)
	if err != nil {
		return err
	}
	var layers []layerstore.AssemblyLayer
	for _, id := range ids {
		layer, err := l.layerFile(ctx, path.Join(id, "layer.tar"), "")
		if err != nil {
			return err
		}
		layers = append(layers, layer)
	}
	img, err := l.st.Assemble(layerstore.Assembly{Config: legacyConfig(chain), Layers: layers, Names: names})
	if err == nil {
		l.done(img, img.Manifests[0].Digest, names)
	}
	return err
}

// chain follows the parents of a layer; the lowest comes first.
func (l *loader) chain(top string) (ids []string, chain []legacyLayer, err error) {
	for id := top; id != ""; {
		if slices.Contains(ids, id) || len(ids) == longestChain {
			return nil, nil, fmt.Errorf("layer %s is its own ancestor, or has more than %d", id, longestChain)
		}
		if strings.ContainsAny(id, "/.") {
			return nil, nil, fmt.Errorf("%q is no layer's id", id)
		}
		raw, err := readFile(l.in, path.Join(id, "json"), maxConfig)
		if err != nil {
			return nil, nil, err
		}
		var layer legacyLayer
		if err := json.Unmarshal(raw, &layer); err != nil {
			return nil, nil, fmt.Errorf("%s/json can't be read: %w", id, err)
		}
		ids, chain = append(ids, id), append(chain, layer)
		id = layer.Parent
	}
	slices.Reverse(ids)
	slices.Reverse(chain)
	return ids, chain, nil
}

// legacyConfig makes a config of today: the top layer's, with a history of all.
func legacyConfig(chain []legacyLayer) v1.ConfigFile {
	top := chain[len(chain)-1]
	cfg := v1.ConfigFile{
		OS: cmp.Or(top.OS, "linux"), Architecture: cmp.Or(top.Architecture, "amd64"), Author: top.Author,
		Created: top.Created, Config: top.Config,
	}
	for _, layer := range chain {
		cfg.History = append(cfg.History, v1.History{
			Created: layer.Created, Author: layer.Author,
			CreatedBy: strings.Join(layer.ContainerConfig.Cmd, " "),
		})
	}
	return cfg
}
