package registry

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"unionfs/layerstore"
)

// TestMain lets tests start this program again as another process that pulls.
func TestMain(m *testing.M) {
	if ref := os.Getenv("REGISTRY_TEST_PULL"); ref != "" {
		s, err := layerstore.Open(os.Getenv("REGISTRY_TEST_STORE"))
		if err == nil {
			_, err = Pull(context.Background(), s, ref, quick())
		}
		if err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n") // the last that it does
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// pulling starts another process that pulls.
func pulling(t *testing.T, s *layerstore.Store, ref string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "REGISTRY_TEST_PULL="+ref, "REGISTRY_TEST_STORE="+s.Root())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestManyPull: several goroutines and processes pull the same image into the
// same store, and its blobs travel once.
func TestManyPull(t *testing.T) {
	r := startRegistry(t)
	img := ociImage(t, 1)
	ref := r.host + "/x:1"
	img.put(t, ref)
	s := openStore(t)
	r.forget()
	var others []*exec.Cmd
	for range 2 {
		others = append(others, pulling(t, s, ref))
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			mine, err := layerstore.Open(s.Root())
			if err == nil {
				_, err = Pull(context.Background(), mine, ref, quick())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, cmd := range others {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	holds(t, s, ref, img)
	sound(t, s)
	total := int64(len(img.config))
	seen := map[string]bool{}
	for _, l := range img.layers {
		if d := l.descriptor().Digest.String(); !seen[d] {
			seen[d] = true
			total += int64(len(l.packed))
		}
	}
	if n := r.bytes(); n != total {
		t.Errorf("%d bytes were served, and the image has %d", n, total)
	}
}

// TestKilledPull: a pull that was killed is gone on with by the next process.
func TestKilledPull(t *testing.T) {
	r := startRegistry(t)
	img := makeImage(t, types.OCIManifestSchema1, hostPlatform(), makeLayer(t, types.OCILayer, "big", 4<<20, 1))
	ref := r.host + "/x:1"
	img.put(t, ref)
	size := int64(len(img.layers[0].packed))
	// The server holds the transfer in its middle until the process is dead.
	half := make(chan struct{})
	r.set(func() { r.before = holdAt(layerPath(img, 0), img.layers[0].packed, half) })
	s := openStore(t)
	cmd := pulling(t, s, ref)
	<-half
	waitForPartial(t, s, size/2)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	r.set(func() { r.before = nil })
	r.forget()
	pull(t, s, ref, quick())
	holds(t, s, ref, img)
	if n := r.bytes(); n > size/2+1000 {
		t.Errorf("%d more bytes were served, want %d", n, size-size/2)
	}
	left, err := os.ReadDir(s.Root() + "/stages")
	if err != nil || len(left) != 0 {
		t.Errorf("stages are left: %v, %v", left, err)
	}
}

// waitForPartial waits until so much of the only blob on its way has come.
func waitForPartial(t *testing.T, s *layerstore.Store, size int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		entries, err := os.ReadDir(s.Root() + "/partial")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if fi, err := e.Info(); err == nil && fi.Size() >= size {
				return
			}
		}
	}
	t.Fatal("half of the blob never came")
}

// TestWaitingPullEnds: who waits for somebody else's transfer may give up.
func TestWaitingPullEnds(t *testing.T) {
	r := startRegistry(t)
	img := smallImage(t, 1)
	ref := r.host + "/x:1"
	img.put(t, ref)
	half := make(chan struct{})
	r.set(func() { r.before = holdAt(layerPath(img, 0), img.layers[0].packed, half) })
	s := openStore(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := Pull(ctx, s, ref, quick())
		done <- err
	}()
	<-half
	waiting, end := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer end()
	start := time.Now()
	if _, err := Pull(waiting, s, ref, quick()); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Minute {
		t.Errorf("error %v after %s", err, time.Since(start))
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
