package layerstore

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
)

// AddTar makes a layer of the uncompressed tar that produce writes: a blob, in
// the form in which layers travel, and its tree. The tar is read once.
func (st *Stage) AddTar(ctx context.Context, produce func(w io.Writer) error) (LayerInfo, error) {
	out, err := os.OpenFile(st.file("blob"), os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return LayerInfo{}, err
	}
	defer out.Close()
	h := sha256.New()
	packed, err := compressor(io.MultiWriter(out, h))
	if err != nil {
		return LayerInfo{}, err
	}
	made, err := st.unpackWhile(ctx, packed, produce)
	if err == nil {
		err = packed.Close()
	}
	if err != nil {
		return LayerInfo{}, err
	}
	made.info.Blob = sumOf(h)
	if made.info.Packed, err = out.Seek(0, io.SeekEnd); err != nil {
		return LayerInfo{}, err
	}
	if err := st.publishBlob(out, made.info.Blob); err != nil {
		return LayerInfo{}, err
	}
	return made.info, st.publishLayer(made)
}

// unpackWhile unpacks what produce writes, and copies it to w.
func (st *Stage) unpackWhile(ctx context.Context, w io.Writer, produce func(io.Writer) error) (madeLayer, error) {
	r, pipe := io.Pipe()
	go func() {
		pipe.CloseWithError(produce(io.MultiWriter(pipe, w)))
	}()
	made, err := st.unpack(ctx, r)
	r.CloseWithError(io.ErrClosedPipe) // ends produce when unpacking failed
	return made, err
}

// publishBlob gives a blob its name.
func (st *Stage) publishBlob(f *os.File, d Digest) error {
	if err := f.Sync(); err != nil {
		return err
	}
	if err := st.Hold([]Digest{d}, nil); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), st.s.BlobPath(d)); err != nil {
		return err
	}
	return syncDir(filepath.Dir(st.s.BlobPath(d)))
}
