package layerstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// elsewhere is a blob that can be fetched, and counts what it gave.
type elsewhere struct {
	data     []byte
	cutAfter int64 // ends each answer early; 0 is never
	noRange  bool
	given    atomic.Int64
	opened   atomic.Int64
}

func (e *elsewhere) source() BlobSource {
	return BlobSource{Digest: DigestOf(e.data), Size: int64(len(e.data)), Open: e.open}
}

func (e *elsewhere) open(_ context.Context, offset int64) (io.ReadCloser, error) {
	e.opened.Add(1)
	if offset > 0 && e.noRange {
		return nil, errors.ErrUnsupported
	}
	rest := e.data[offset:]
	if e.cutAfter > 0 && int64(len(rest)) > e.cutAfter {
		rest = rest[:e.cutAfter]
	}
	e.given.Add(int64(len(rest)))
	return io.NopCloser(bytes.NewReader(rest)), nil
}

func TestFetch(t *testing.T) {
	s := newStore(t)
	e := &elsewhere{data: bytes.Repeat([]byte("abc"), 1000)}
	var told int64
	src := e.source()
	src.Progress = func(n int64) { told += n }
	if err := begin(t, s).Fetch(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReadBlob(src.Digest); err != nil || !bytes.Equal(got, e.data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if told != src.Size {
		t.Errorf("progress told of %d bytes of %d", told, src.Size)
	}
	if err := begin(t, s).Fetch(t.Context(), src); err != nil || e.opened.Load() != 1 {
		t.Errorf("a blob that is there was fetched again (%v)", err)
	}
}

func TestFetchGoesOnWhereItWasCut(t *testing.T) {
	s := newStore(t)
	e := &elsewhere{data: bytes.Repeat([]byte("abc"), 1000), cutAfter: 700}
	tries := 0
	for ; !s.HasBlob(e.source().Digest) && tries < 10; tries++ {
		err := begin(t, s).Fetch(t.Context(), e.source())
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatal(err)
		}
	}
	if tries != 5 || e.given.Load() != 3000 {
		t.Errorf("%d tries moved %d bytes, want 5 and 3000", tries, e.given.Load())
	}
}

func TestFetchWithoutRanges(t *testing.T) {
	s := newStore(t)
	e := &elsewhere{data: bytes.Repeat([]byte("abc"), 1000), cutAfter: 700, noRange: true}
	if err := begin(t, s).Fetch(t.Context(), e.source()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v, want an unexpected end", err)
	}
	e.cutAfter = 0
	if err := begin(t, s).Fetch(t.Context(), e.source()); err != nil {
		t.Fatal(err)
	}
	if got, err := s.ReadBlob(e.source().Digest); err != nil || !bytes.Equal(got, e.data) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

// A process may die between the last byte and the publication: what is there
// is whole, and no server has a range behind the end.
func TestFetchOfAllThatIsThere(t *testing.T) {
	s := newStore(t)
	e := &elsewhere{data: []byte("whole")}
	src := e.source()
	if err := os.WriteFile(s.path("partial", src.Digest.Hex()), e.data, fileMode); err != nil {
		t.Fatal(err)
	}
	if err := begin(t, s).Fetch(t.Context(), src); err != nil || e.opened.Load() != 0 {
		t.Errorf("got %v after %d requests, want none", err, e.opened.Load())
	}
	if !s.HasBlob(src.Digest) {
		t.Error("the blob isn't there")
	}
}

func TestFetchRefusesOtherBytes(t *testing.T) {
	for name, change := range map[string]func(src *BlobSource, e *elsewhere){
		"other bytes": func(_ *BlobSource, e *elsewhere) { e.data = bytes.Repeat([]byte("x"), len(e.data)) },
		"too many":    func(_ *BlobSource, e *elsewhere) { e.data = append(bytes.Clone(e.data), 'x') },
		"size unknown, other bytes": func(src *BlobSource, e *elsewhere) {
			src.Size, e.data = -1, []byte("x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			e := &elsewhere{data: []byte("what was meant")}
			src := e.source()
			change(&src, e)
			var wrong *DigestError
			if err := begin(t, s).Fetch(t.Context(), src); !errors.As(err, &wrong) {
				t.Errorf("got %v, want a digest error", err)
			}
			if s.HasBlob(src.Digest) {
				t.Error("the wrong bytes were published")
			}
			if left, _ := s.names("partial"); len(left) > 0 {
				t.Error("the wrong bytes were kept to go on from")
			}
		})
	}
}

// Those who want the same blob at once move its bytes once.
func TestFetchAtOnce(t *testing.T) {
	s := newStore(t)
	e := &elsewhere{data: bytes.Repeat([]byte("abc"), 100000)}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			st, err := s.Begin()
			if err != nil {
				t.Error(err)
				return
			}
			defer st.Close()
			if err := st.Fetch(t.Context(), e.source()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if e.given.Load() != int64(len(e.data)) {
		t.Errorf("%d bytes moved, want %d", e.given.Load(), len(e.data))
	}
}

func TestReadBlobNoticesDamage(t *testing.T) {
	s := newStore(t)
	d, err := begin(t, s).PutBlob([]byte("config"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.BlobPath(d), []byte("another"), fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ReadBlob(d); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}
