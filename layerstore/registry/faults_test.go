package registry

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// faulty is a registry on loopback that can be told to misbehave.
type faulty struct {
	*httptest.Server
	host string

	mu sync.Mutex
	// before is asked first; true when it has answered.
	before func(w http.ResponseWriter, r *http.Request) bool
	// cut ends each transfer of a blob after so many bytes; 0 never.
	cut int64
	// noRange makes it ignore ranges.
	noRange bool

	requests []string // "GET /v2/…"
	served   int64    // bytes of blobs
}

func startRegistry(t testing.TB) *faulty {
	t.Helper()
	f := &faulty{}
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	f.Server = httptest.NewServer(f.handler(inner))
	t.Cleanup(f.Close)
	f.host = strings.TrimPrefix(f.URL, "http://")
	return f
}

func (f *faulty) handler(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+r.URL.Path)
		before, cut, noRange := f.before, f.cut, f.noRange
		f.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		if noRange {
			r.Header.Del("Range")
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			w = &meter{ResponseWriter: w, f: f, left: cut, cuts: cut > 0}
		}
		inner.ServeHTTP(w, r)
	})
}

// set changes how it behaves.
func (f *faulty) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// count tells how many requests contain the words.
func (f *faulty) count(words string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.Contains(r, words) {
			n++
		}
	}
	return n
}

// forget begins counting anew.
func (f *faulty) forget() {
	f.set(func() { f.requests, f.served = nil, 0 })
}

func (f *faulty) bytes() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served
}

// meter counts and cuts what is sent.
type meter struct {
	http.ResponseWriter
	f    *faulty
	left int64
	cuts bool
}

func (m *meter) Write(p []byte) (int, error) {
	if m.cuts && int64(len(p)) > m.left {
		n, _ := m.ResponseWriter.Write(p[:m.left])
		m.f.set(func() { m.f.served += int64(n) })
		m.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // closes the connection
	}
	n, err := m.ResponseWriter.Write(p)
	m.left -= int64(n)
	m.f.set(func() { m.f.served += int64(n) })
	return n, err
}

// holdAt sends half of a blob, tells so, and then nothing until the client is
// gone.
func holdAt(path string, blob []byte, half chan struct{}) func(http.ResponseWriter, *http.Request) bool {
	var once sync.Once
	return func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodGet || !strings.Contains(req.URL.Path, path) {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
		_, _ = w.Write(blob[:len(blob)/2]) // the client may be gone
		w.(http.Flusher).Flush()
		once.Do(func() { close(half) })
		<-req.Context().Done()
		return true
	}
}
