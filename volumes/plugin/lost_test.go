package plugin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// faulty is a plugin that does what the test says, and counts.
type faulty struct {
	mu    sync.Mutex
	calls []string
	do    map[string]http.HandlerFunc
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := strings.TrimPrefix(r.URL.Path, "/VolumeDriver.")
	f.mu.Lock()
	f.calls = append(f.calls, call)
	do := f.do[call]
	f.mu.Unlock()
	switch {
	case r.URL.Path == activate.path:
		_, _ = io.WriteString(w, `{"Implements":["VolumeDriver"]}`)
	case do != nil:
		do(w, r)
	default:
		_, _ = io.WriteString(w, `{}`)
	}
}

// said are the calls since the plugin was found.
func (f *faulty) said() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.calls[1:], " ")
}

// hangUp ends the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// breakOff ends it in the middle of one.
func breakOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"Mountpoint":"/`)
	panic(http.ErrAbortHandler)
}

func TestLostMountIsTakenBack(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{"hung up": hangUp, "broken off": breakOff} {
		t.Run(name, func(t *testing.T) {
			d, f := places(t), &faulty{do: map[string]http.HandlerFunc{"Mount": fault}}
			serveHTTP(t, f, filepath.Join(d.Sockets[0], "faulty.sock"))
			_, err := find(t, d, "faulty", Patience(DefaultPatience)).Mount(t.Context(), "data", "1")
			var lost *LostError
			if !errors.As(err, &lost) || !strings.Contains(err.Error(), `faulty.sock gave no answer to VolumeDriver.Mount of volume "data"`) {
				t.Errorf("the error is: %v", err)
			}
			if said := f.said(); said != "Mount Unmount" {
				t.Errorf("the calls were: %s", said)
			}
		})
	}
}

func TestCancelledMountIsTakenBack(t *testing.T) {
	began := make(chan struct{})
	d, f := places(t), &faulty{}
	f.do = map[string]http.HandlerFunc{"Mount": func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // else the server doesn't see the client go
		close(began)
		<-r.Context().Done()
	}}
	serveHTTP(t, f, filepath.Join(d.Sockets[0], "faulty.sock"))
	found := find(t, d, "faulty")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	if _, err := found.Mount(ctx, "data", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is: %v", err)
	}
	if said := f.said(); said != "Mount Unmount" {
		t.Errorf("the calls were: %s", said)
	}
}

// TestLostReadsAreRepeated: what changes nothing is asked again, but not for
// ever; what changes something isn't.
func TestLostReadsAreRepeated(t *testing.T) {
	var lost atomic.Int32
	d, f := places(t), &faulty{}
	f.do = map[string]http.HandlerFunc{
		"Get": func(w http.ResponseWriter, r *http.Request) {
			if lost.Add(1) < 3 {
				hangUp(w, r)
			}
			_, _ = io.WriteString(w, `{"Volume":{"Name":"data"}}`)
		},
		"List":   hangUp,
		"Remove": hangUp,
	}
	serveHTTP(t, f, filepath.Join(d.Sockets[0], "faulty.sock"))
	found := find(t, d, "faulty", Patience(DefaultPatience))
	if info, err := found.Get(t.Context(), "data"); err != nil || info.Name != "data" {
		t.Errorf("Get answers %+v, %v", info, err)
	}
	if _, err := found.List(t.Context()); asLost(err) == nil {
		t.Errorf("List answers %v", err)
	}
	if err := found.Remove(t.Context(), "data"); asLost(err) == nil {
		t.Errorf("Remove answers %v", err)
	}
	if said := f.said(); said != "Get Get Get List List List List Remove" {
		t.Errorf("the calls were: %s", said)
	}
}

func TestHugeReply(t *testing.T) {
	d, f := places(t), &faulty{}
	f.do = map[string]http.HandlerFunc{"List": func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(strings.Repeat(" ", 1<<20))
		for range replyLimit>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}}
	serveHTTP(t, f, filepath.Join(d.Sockets[0], "faulty.sock"))
	_, err := find(t, d, "faulty").List(t.Context())
	if err == nil || !strings.Contains(err.Error(), "longer than 16 MiB") {
		t.Errorf("the error is: %v", err)
	}
}

// TestPluginGoes: the socket is gone between two calls, and comes back.
func TestPluginGoes(t *testing.T) {
	d := places(t)
	path := filepath.Join(d.Sockets[0], "ours.sock")
	f := newFolders(t)
	first, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Driver: f}).Serve(ctx, first) }()
	patient, hasty := find(t, d, "ours", Patience(DefaultPatience)), find(t, d, "ours")
	if err := patient.Create(t.Context(), "data", nil); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	var away *UnreachableError
	if _, err := hasty.List(t.Context()); !errors.As(err, &away) || !strings.Contains(err.Error(), path) {
		t.Errorf("without patience: %v", err)
	}
	var start sync.WaitGroup
	start.Go(func() {
		time.Sleep(100 * time.Millisecond)
		serve(t, &Server{Driver: f}, path)
	})
	defer start.Wait()
	if all, err := patient.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("List answers %v, %v", all, err)
	}
}

// TestSlowStarts: first there is no file, then a file that nobody listens at,
// then a plugin.
func TestSlowStarts(t *testing.T) {
	d := places(t)
	path := filepath.Join(d.Sockets[0], "slow.sock")
	var start sync.WaitGroup
	start.Go(func() { // one after the other, however late
		time.Sleep(50 * time.Millisecond)
		deadSocket(t, path)
		time.Sleep(100 * time.Millisecond)
		serve(t, &Server{Driver: newFolders(t)}, path)
	})
	if _, err := Find(t.Context(), "slow", In(d)); err != nil {
		t.Error(err)
	}
	start.Wait()
}

// deadSocket leaves a file that refuses connections.
func deadSocket(t *testing.T, path string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Error(err)
		return
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
}

func TestNobodyComes(t *testing.T) {
	d := places(t)
	dead := filepath.Join(d.Sockets[0], "dead.sock")
	deadSocket(t, dead)
	_, err := Find(t.Context(), "dead", In(d), Patience(30*time.Millisecond))
	if err == nil || !strings.Contains(err.Error(), dead) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the error is: %v", err)
	}
	_, err = Find(t.Context(), "absent", In(d), Patience(30*time.Millisecond))
	for _, place := range d.candidates("absent") {
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("%v doesn't say that %s was looked for", err, place)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err = Find(ctx, "absent", In(d)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is: %v", err)
	}
}

// TestPatience counts in a bubble of its own time.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		p := newPatience(DefaultPatience, func(error) { told++ })
		began, attempts := time.Now(), 1
		for p.wait(t.Context(), io.EOF) {
			attempts++
		}
		if took := time.Since(began); took != DefaultPatience {
			t.Errorf("it took %s", took)
		}
		if attempts < 10 || attempts > 20 || told != 1 {
			t.Errorf("%d attempts, %d notices", attempts, told)
		}
	})
}

// TestDeniedSocket: waiting doesn't help there.
func TestDeniedSocket(t *testing.T) {
	if os.Geteuid() == 0 {
		if mayStart(os.ErrPermission) {
			t.Error("a permission that is missing comes by waiting")
		}
		return
	}
	d := places(t)
	path := filepath.Join(d.Sockets[0], "denied.sock")
	serve(t, &Server{Driver: newFolders(t)}, path)
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := Find(t.Context(), "denied", In(d))
	if !errors.Is(err, os.ErrPermission) || time.Since(began) > 10*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
