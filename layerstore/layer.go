package layerstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
	"unionfs/whiteout"
)

// LayerInfo is what is known of an unpacked layer: its meta.json.
type LayerInfo struct {
	DiffID  DiffID    `json:"diffID"`
	Blob    Digest    `json:"blob"`    // what it was unpacked from
	Size    int64     `json:"size"`    // bytes of file data
	Packed  int64     `json:"packed"`  // bytes of the blob
	Entries int64     `json:"entries"` // of the tar
	Created time.Time `json:"created"`
	// Root says that the layer tells what the root directory is like.
	Root bool `json:"root,omitempty"`
	// Links are the groups of hard-linked names, relative to the tree.
	Links [][]string `json:"links,omitempty"`
}

// Layer answers what is known of a layer; fs.ErrNotExist when it isn't there.
func (s *Store) Layer(id DiffID) (LayerInfo, error) {
	var info LayerInfo
	err := readJSON(s.path("layers", id.Hex(), "meta.json"), &info)
	return info, err
}

// HasLayer tells whether the tree of a layer is there.
func (s *Store) HasLayer(id DiffID) bool {
	_, err := os.Lstat(s.path("layers", id.Hex(), "meta.json"))
	return id != "" && err == nil
}

// RootLayer is the layer of a chain that tells what the root directory is like:
// the highest that has an entry for it.
func (s *Store) RootLayer(chain []DiffID) DiffID {
	for _, id := range slices.Backward(chain) {
		if info, err := s.Layer(id); err == nil && info.Root {
			return id
		}
	}
	return chain[len(chain)-1]
}

// Layers lists the layers that are there.
func (s *Store) Layers() ([]LayerInfo, error) {
	ids, err := s.names("layers")
	var out []LayerInfo
	for _, id := range ids {
		info, err := s.Layer(DiffID(digestPrefix + id))
		if err == nil {
			out = append(out, info)
		}
	}
	return out, err
}

// Unpack makes the tree of the layer in the blob and publishes it. want is its
// DiffID, or "" for a layer that nobody has named yet.
func (st *Stage) Unpack(ctx context.Context, blob Digest, want DiffID) (LayerInfo, error) {
	if want != "" {
		if err := st.Hold([]Digest{blob}, []DiffID{want}); err != nil {
			return LayerInfo{}, err
		}
		if info, err := st.s.Layer(want); err == nil {
			return info, nil
		}
	}
	f, err := st.s.OpenBlob(blob)
	if err != nil {
		return LayerInfo{}, err
	}
	defer f.Close()
	tar, err := Decompress(f)
	if err != nil {
		return LayerInfo{}, fmt.Errorf("layer %s: %w", blob, err)
	}
	defer tar.Close()
	made, err := st.unpack(ctx, tar)
	if err != nil {
		return LayerInfo{}, fmt.Errorf("layer %s: %w", blob, err)
	}
	if want != "" && made.info.DiffID != want {
		return LayerInfo{}, fmt.Errorf("layer %s: the config says that it unpacks to %s, and it is %s", blob, want, made.info.DiffID)
	}
	made.info.Blob = blob
	if fi, err := f.Stat(); err == nil {
		made.info.Packed = fi.Size()
	}
	return made.info, st.publishLayer(made)
}

// madeLayer is a layer in a stage.
type madeLayer struct {
	dir  string
	info LayerInfo
}

// unpack makes the tree of a tar in the stage and hashes the tar as it goes.
func (st *Stage) unpack(ctx context.Context, tar io.Reader) (madeLayer, error) {
	m := madeLayer{dir: st.file("layer")}
	fd, err := makeTree(m.dir)
	if err != nil {
		return m, err
	}
	defer hostfs.Close(fd)
	codec, err := st.s.codec(fd, m.dir)
	if err != nil {
		return m, err
	}
	h := sha256.New()
	hashed := io.TeeReader(counting{ctx: ctx, r: tar}, h)
	sum, err := layertar.Unpack(ctx, hashed, fd, layertar.UnpackOptions{
		IDs: st.s.IDs(), Codec: codec, MaxBytes: maxLayerBytes, MaxEntries: maxLayerEntries, Warn: st.s.Warn,
	})
	if err == nil {
		// What follows the archive's end is part of the digest too.
		_, err = io.Copy(io.Discard, hashed)
	}
	if err != nil {
		return m, err
	}
	m.info = LayerInfo{DiffID: DiffID(sumOf(h)), Size: sum.Bytes, Entries: sum.Entries, Links: sum.Links, Root: sum.Root, Created: time.Now().UTC()}
	return m, nil
}

// What a layer may hold at most: far more than any honest one.
const (
	maxLayerBytes   = 1 << 40
	maxLayerEntries = 1 << 26
)

// makeTree makes a layer's folder with an empty tree and opens that.
func makeTree(dir string) (int, error) {
	if err := os.MkdirAll(filepath.Join(dir, "diff"), 0o755); err != nil {
		return -1, err
	}
	if err := os.Chmod(filepath.Join(dir, "diff"), 0o755); err != nil {
		return -1, err
	}
	return hostfs.OpenLayer(filepath.Join(dir, "diff"))
}

// codec finds the form of whiteouts that the store's file system can hold.
func (s *Store) codec(tree int, dir string) (whiteout.Codec, error) {
	parent, err := hostfs.OpenLayer(dir)
	if err != nil {
		return nil, err
	}
	defer hostfs.Close(parent)
	codec, caps, err := whiteout.Probe(parent, false)
	if err != nil {
		return nil, err
	}
	if !caps.Xattrs && s.info.IDs == idsSingle {
		return nil, fmt.Errorf("%s: its file system keeps no extended attributes, which a store of one id needs for owners: use another --root", s.root)
	}
	return codec, nil
}

// publishLayer gives a layer its name. Whoever was first wins; the trees are
// the same.
func (st *Stage) publishLayer(m madeLayer) error {
	// Held first, so that a layer found here is one that stays.
	if err := st.Hold([]Digest{m.info.Blob}, []DiffID{m.info.DiffID}); err != nil || st.s.HasLayer(m.info.DiffID) {
		return err
	}
	if err := writeIndex(m.dir); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(m.dir, "meta.json"), m.info); err != nil {
		return err
	}
	if err := syncTree(m.dir); err != nil {
		return err
	}
	err := os.Rename(m.dir, st.s.path("layers", m.info.DiffID.Hex()))
	if err != nil && st.s.HasLayer(m.info.DiffID) {
		return nil
	}
	if err == nil {
		err = syncDir(st.s.path("layers"))
	}
	return err
}
