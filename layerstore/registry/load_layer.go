package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"golang.org/x/sync/errgroup"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// layerFiles brings layers that no manifest describes, as docker's archives
// have them: plain tars, or compressed ones.
func (l *loader) layerFiles(ctx context.Context, names []string, ids []layerstore.DiffID) ([]layerstore.AssemblyLayer, error) {
	if err := l.st.Hold(nil, ids); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	made := map[layerstore.DiffID]layerstore.AssemblyLayer{}
	started := map[layerstore.DiffID]bool{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(l.o.jobs())
	for i, id := range ids {
		if started[id] {
			continue
		}
		started[id] = true
		g.Go(func() error {
			layer, err := l.layerFile(ctx, names[i], id)
			mu.Lock()
			defer mu.Unlock()
			made[id] = layer
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []layerstore.AssemblyLayer
	for _, id := range ids {
		out = append(out, made[id])
	}
	return out, nil
}

// layerFile brings one layer. want is "" when no config says its DiffID.
func (l *loader) layerFile(ctx context.Context, name string, want layerstore.DiffID) (layerstore.AssemblyLayer, error) {
	if layer, ok := l.had(want); ok {
		return layer, nil
	}
	c, err := clean(name)
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	f, err := l.in.open(c)
	if errors.Is(err, fs.ErrNotExist) {
		return layerstore.AssemblyLayer{}, fmt.Errorf("its layer %s is missing", name)
	}
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	defer f.Close()
	switch packed, err := compressionOf(f); {
	case err != nil:
		return layerstore.AssemblyLayer{}, err
	case packed == layerstore.Gzip || packed == layerstore.Zstd:
		return l.compressed(ctx, f, want)
	case packed != layerstore.Plain: // no registry takes it
		unpacked, err := l.unpacked(ctx, f)
		if err != nil {
			return layerstore.AssemblyLayer{}, fmt.Errorf("layer %s: %w", name, err)
		}
		defer unpacked.Close()
		f = unpacked
	}
	if want == "" {
		if want, err = l.plainID(ctx, f); err != nil {
			return layerstore.AssemblyLayer{}, err
		}
		if layer, ok := l.had(want); ok {
			return layer, nil
		}
	}
	return l.plain(ctx, name, f, want)
}

// compressionOf tells how a file is packed, and leaves it at its begin.
func compressionOf(f io.ReaderAt) (layerstore.Compression, error) {
	head := make([]byte, layerstore.HeadLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return layerstore.Plain, err
	}
	return layerstore.CompressionOf(head[:n]), nil
}

// unpacked keeps a file's content aside in the stage.
func (l *loader) unpacked(ctx context.Context, f *entry) (*entry, error) {
	out, size, err := aside(ctx, l.st, f)
	if err != nil {
		return nil, err
	}
	return &entry{io.NewSectionReader(out, 0, size), out}, nil
}

// plainID hashes an uncompressed layer: what is there already isn't made anew, and
// what is told of the rest has a name.
func (l *loader) plainID(ctx context.Context, f *entry) (layerstore.DiffID, error) {
	sum, _, err := v1.SHA256(ended{ctx, io.NewSectionReader(f, 0, f.Size())})
	if err != nil {
		return "", err
	}
	id := layerstore.DiffID(sum.String())
	return id, l.st.Hold(nil, []layerstore.DiffID{id})
}

// had finds a layer that is there already, with the blob it came from.
func (l *loader) had(want layerstore.DiffID) (layerstore.AssemblyLayer, bool) {
	info, err := l.store.Layer(want)
	if want == "" || err != nil {
		return layerstore.AssemblyLayer{}, false
	}
	if l.st.Hold([]layerstore.Digest{info.Blob}, nil) != nil || !l.store.HasBlob(info.Blob) {
		return layerstore.AssemblyLayer{}, false
	}
	layer, err := l.travels(info)
	if err != nil {
		return layerstore.AssemblyLayer{}, false // its blob is made anew
	}
	l.o.transfer(info.Blob, info.Packed).step(Exists)
	return layer, true
}

// plain keeps an uncompressed layer in the form in which layers travel.
func (l *loader) plain(ctx context.Context, name string, f *entry, want layerstore.DiffID) (layerstore.AssemblyLayer, error) {
	t := l.o.transfer(layerstore.Digest(want), f.Size())
	t.begin()
	info, err := l.st.AddTar(ctx, func(w io.Writer) error {
		_, err := io.Copy(w, told{ended{ctx, f}, t})
		return err
	})
	if err != nil {
		return layerstore.AssemblyLayer{}, fmt.Errorf("layer %s: %w", name, err)
	}
	if want != "" && info.DiffID != want {
		return layerstore.AssemblyLayer{}, fmt.Errorf("layer %s: %w", name, &layerstore.DigestError{Want: layerstore.Digest(want), Got: layerstore.Digest(info.DiffID)})
	}
	t.step(Finished)
	return l.travels(info)
}

// compressed keeps a compressed layer as it is.
func (l *loader) compressed(ctx context.Context, f *entry, want layerstore.DiffID) (layerstore.AssemblyLayer, error) {
	sum, size, err := v1.SHA256(ended{ctx, f})
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	blob := v1.Descriptor{Digest: sum, Size: size}
	t := l.o.transfer(digestOf(blob), size)
	t.begin()
	err = l.st.Fetch(ctx, layerstore.BlobSource{
		Digest: digestOf(blob), Size: size, Progress: t.moved,
		Open: func(_ context.Context, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(f, offset, size-offset)), nil
		},
	})
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	t.step(Unpacking)
	info, err := l.st.Unpack(ctx, digestOf(blob), want)
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	t.step(Finished)
	info.Blob, info.Packed = digestOf(blob), size // a known layer may have another
	return l.travels(info)
}

// travels describes a layer as manifests do. What compression its blob has,
// only the blob itself tells.
func (l *loader) travels(info layerstore.LayerInfo) (layerstore.AssemblyLayer, error) {
	f, err := l.store.OpenBlob(info.Blob)
	if err != nil {
		return layerstore.AssemblyLayer{}, err
	}
	defer f.Close()
	layer := info.Travels()
	packed, err := compressionOf(f)
	switch packed {
	case layerstore.Plain:
		layer.MediaType = string(types.OCIUncompressedLayer)
	case layerstore.Zstd:
		layer.MediaType = string(types.OCILayerZStd)
	}
	return layer, err
}

// told is a reader that reports what passes.
type told struct {
	io.Reader
	t *transfer
}

func (r told) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.t.moved(int64(n))
	}
	return n, err
}
