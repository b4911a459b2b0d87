package layerstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
	"unionfs/layerstore/layertar"
)

// Problem is one thing that is wrong with a store.
type Problem struct {
	What     string `json:"what"`     // a sentence
	Repaired bool   `json:"repaired"` // by this check
	// Advice says what to do about one that isn't repaired.
	Advice string `json:"advice,omitempty"`
}

// Check hashes every blob, unpacks every layer again and compares, and looks
// for what is missing, damaged or orphaned. With repair it does what can be
// done without the network: damaged blobs and layers go, layers whose blob is
// good are unpacked anew.
func (s *Store) Check(ctx context.Context, repair bool, each func(what string)) ([]Problem, error) {
	if err := s.makeFolders(); err != nil {
		return nil, err
	}
	st, err := s.Begin()
	if err != nil {
		return nil, err
	}
	defer st.Close()
	c := checker{ctx: ctx, s: s, st: st, repair: repair, each: each}
	if err := c.descriptions(); err != nil || len(c.found) > 0 && !repair {
		return c.found, err // the rest stands on them
	}
	for _, step := range [...]func() error{c.blobs, c.layers, c.images, c.snapshots} {
		if err := step(); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

type checker struct {
	ctx    context.Context
	s      *Store
	st     *Stage
	repair bool
	each   func(string)
	found  []Problem
}

func (c *checker) say(repaired bool, advice, format string, args ...any) {
	if repaired {
		advice = ""
	}
	c.found = append(c.found, Problem{fmt.Sprintf(format, args...), repaired, advice})
}

// descriptions looks at the small files, since everything else reads them.
func (c *checker) descriptions() error {
	ids, err := c.s.names("images")
	if err != nil {
		return err
	}
	for _, file := range ids {
		id, err := ParseDigest(digestPrefix + strings.TrimSuffix(file, ".json"))
		if err == nil {
			_, err = c.s.readImage(ImageID(id))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.say(c.drop(c.s.path("images", file)), "run with --repair, and pull the image again", "image %s: %v", file, err)
		}
	}
	if _, err := c.s.readNames(); err != nil {
		c.say(c.drop(c.s.path("names.json")), "run with --repair, and tag the images again", "%v", err)
	}
	return nil
}

// blobs hashes all of them.
func (c *checker) blobs() error {
	ids, err := c.s.names("blobs/sha256")
	if err != nil {
		return err
	}
	for _, hex := range ids {
		d, err := ParseDigest(digestPrefix + hex)
		if err != nil {
			c.say(false, "remove it", "%s is no blob", c.s.path("blobs/sha256", hex))
			continue
		}
		c.each("blob " + string(d))
		switch got, err := c.hash(d); {
		case errors.Is(err, fs.ErrNotExist): // collected since
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case err != nil:
			// Who can't read it just now doesn't know that it is bad.
			noFile := errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ELOOP)
			c.say(noFile && c.drop(c.s.BlobPath(d)), "run with --repair, and pull its image again", "blob %s: %v", d, err)
		case got != d:
			c.say(c.drop(c.s.BlobPath(d)), "run with --repair, and pull its image again", "blob %s is damaged: it hashes to %s", d, got)
		}
	}
	return nil
}

func (c *checker) hash(d Digest) (Digest, error) {
	f, err := os.Open(c.s.BlobPath(d))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, counting{ctx: c.ctx, r: f})
	return sumOf(h), err
}

// drop takes something damaged out of the store, when asked to repair.
func (c *checker) drop(path string) bool {
	return c.repair && os.Rename(path, c.st.file("dead")) == nil
}

// layers compares each tree with what its blob unpacks to.
func (c *checker) layers() error {
	ids, err := c.s.names("layers")
	if err != nil {
		return err
	}
	for _, hex := range ids {
		id, err := ParseDigest(digestPrefix + hex)
		if err != nil {
			c.say(c.drop(c.s.path("layers", hex)), "run with --repair", "%s is no layer", c.s.path("layers", hex))
			continue
		}
		c.each("layer " + string(id))
		if err := c.layer(DiffID(id)); err != nil {
			return err
		}
	}
	return nil
}

// layer tells what is wrong with a layer and puts the tree that its blob
// unpacks to in its place, when asked to repair.
func (c *checker) layer(id DiffID) error {
	info, err := c.s.Layer(id)
	if err != nil {
		info.Blob = c.blobFor(id)
	}
	if !c.s.HasBlob(info.Blob) {
		why := "its blob is missing, so that it can't be compared, pushed or saved"
		if err != nil {
			why = err.Error() + ", and its blob is missing"
		}
		c.say(false, "pull its image again", "layer %s: %s", id, why)
		return nil
	}
	fresh, bad := c.fresh(info.Blob)
	defer removeTree(fresh.dir)
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case bad != nil:
		c.say(false, "pull its image again", "layer %s: %v", id, bad)
		return nil
	case fresh.info.DiffID != id:
		c.say(false, "pull its image again", "layer %s: its blob unpacks to %s", id, fresh.info.DiffID)
		return nil
	case err == nil:
		err = c.compare(fresh.dir, id)
	}
	if err == nil {
		return c.index(id)
	}
	if c.ctx.Err() == nil {
		c.say(c.replace(fresh, id), "run with --repair while nothing uses the layer", "layer %s: %v", id, err)
	}
	return c.ctx.Err()
}

// index looks at the index of a layer whose tree is right.
func (c *checker) index(id DiffID) error {
	dir := c.s.path("layers", id.Hex())
	if err := checkIndex(dir); err != nil {
		c.say(c.repair && writeIndex(dir) == nil, "run with --repair", "layer %s: %v", id, err)
	}
	return nil
}

// fresh unpacks a blob anew.
func (c *checker) fresh(blob Digest) (madeLayer, error) {
	f, err := c.s.OpenBlob(blob)
	if err != nil {
		return madeLayer{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return madeLayer{}, err
	}
	tar, err := Decompress(f)
	if err != nil {
		return madeLayer{}, err
	}
	defer tar.Close()
	made, err := c.st.unpack(c.ctx, tar)
	made.info.Blob, made.info.Packed = blob, fi.Size()
	return made, err
}

// compare looks for differences between a tree made anew and the one there.
func (c *checker) compare(fresh string, id DiffID) error {
	want, err := hostfs.OpenLayer(fresh + "/diff")
	if err != nil {
		return err
	}
	defer hostfs.Close(want)
	have, err := hostfs.OpenLayer(c.s.LayerDir(id))
	if err != nil {
		return err
	}
	defer hostfs.Close(have)
	changes, err := layertar.ChangesOf(c.ctx, want, have)
	if err == nil && len(changes) > 0 {
		err = fmt.Errorf("its tree was changed in %d places, the first is %s", len(changes), changes[0].Path)
	}
	return err
}

// replace puts a tree made anew in the place of a damaged one.
func (c *checker) replace(fresh madeLayer, id DiffID) bool {
	return c.repair &&
		os.Rename(c.s.path("layers", id.Hex()), c.st.file("dead")) == nil &&
		c.st.publishLayer(fresh) == nil
}

// blobFor finds a layer's blob by way of the images.
func (c *checker) blobFor(id DiffID) Digest {
	images, _ := c.s.Images()
	for _, img := range images {
		for i, l := range img.Layers {
			if l == id && len(img.Manifests) > 0 && i < len(img.Manifests[0].Layers) {
				return img.Manifests[0].Layers[i].Blob
			}
		}
	}
	return ""
}

// images checks that what they mention is there.
func (c *checker) images() error {
	images, err := c.s.Images()
	if err != nil {
		return err
	}
	for _, img := range images {
		name := img.ID.Short()
		if len(img.Names) > 0 {
			name = Familiar(img.Names[0])
		}
		again := "pull or load " + name + " again"
		if _, err := c.s.Config(img.ID); err != nil {
			c.say(false, again, "image %s: %v", name, err)
		}
		for i, l := range img.Layers {
			if c.s.HasLayer(l) {
				continue
			}
			blob := img.Manifests[0].Layers[i].Blob
			repaired := false
			if c.repair && c.s.HasBlob(blob) {
				_, err := c.st.Unpack(c.ctx, blob, l)
				repaired = err == nil
			}
			c.say(repaired, again, "image %s: layer %s is missing", name, l)
		}
		for _, m := range img.Manifests {
			for _, l := range m.Layers {
				if !c.s.HasBlob(l.Blob) {
					c.say(false, again, "image %s: blob %s is missing: it runs, and can't be pushed or saved", name, l.Blob)
				}
			}
		}
	}
	return c.danglingNames(images)
}

func (c *checker) danglingNames(images []Image) error {
	there := map[ImageID]bool{}
	for _, img := range images {
		there[img.ID] = true
	}
	names, err := c.s.readNames()
	for name, n := range names {
		if there[n.Image] {
			continue
		}
		repaired := c.repair && c.s.locked(func() error { return c.s.forget([]string{name}) }) == nil
		c.say(repaired, "run with --repair", "the name %s points at image %s, which is not there", Familiar(name), n.Image.Short())
	}
	return err
}

func (c *checker) snapshots() error {
	ids, err := c.s.names("snapshots")
	for _, id := range ids {
		n, err := c.s.readSnapshot(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil { // what was written to it can't be had again: that is for people
			c.say(false, "copy what you need from "+c.s.path("snapshots", id)+", and remove that", "snapshot %s: %v", id, err)
		}
		for _, l := range n.Layers {
			if !c.s.HasLayer(l) {
				c.say(false, "pull its image again", "snapshot %s: layer %s is missing", n.ID, l)
			}
		}
	}
	return err
}
