package layerstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
)

// workerEnv makes the test program a worker on the store that it names.
const workerEnv = "LAYERSTORE_TEST_WORKER"

func TestMain(m *testing.M) {
	if root := os.Getenv(workerEnv); root != "" {
		if err := work(root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work makes, tags, removes and prunes images that share layers with those of
// other workers, until it has done enough.
func work(root string) error {
	s, err := Open(root)
	if err != nil {
		return err
	}
	turns, err := strconv.Atoi(os.Getenv(workerEnv + "_TURNS"))
	if err != nil {
		return err
	}
	for range turns {
		name := "i" + strconv.Itoa(rand.IntN(4))
		if err := turn(s, name); err != nil {
			return err
		}
	}
	return nil
}

func turn(s *Store, name string) error {
	var unknown *UnknownImageError
	var used *InUseError
	switch rand.IntN(6) {
	case 0:
		if _, err := s.RemoveImage(name, false); err != nil && !errors.As(err, &unknown) && !errors.As(err, &used) {
			return err
		}
	case 1:
		_, err := s.PruneImages(false, nil)
		return err
	case 2:
		if err := s.Tag(name, "i"+strconv.Itoa(rand.IntN(4))); err != nil && !errors.As(err, &unknown) {
			return err
		}
	case 3:
		return snapshotTurn(s, name)
	default:
		return imageTurn(s, name)
	}
	return nil
}

func imageTurn(s *Store, name string) error {
	st, err := s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	whole, err := Normalize(name)
	if err != nil {
		return err
	}
	a := Assembly{Names: []string{whole}}
	a.Config.OS, a.Config.Architecture = hostPlatform()
	for i := range 1 + rand.IntN(3) {
		archive, err := archiveOf([2]string{"f" + strconv.Itoa(i), strconv.Itoa(rand.IntN(3))})
		if err != nil {
			return err
		}
		info, err := st.AddTar(context.Background(), func(w io.Writer) error {
			_, err := w.Write(archive)
			return err
		})
		if err != nil {
			return err
		}
		a.Layers = append(a.Layers, info.Travels())
	}
	_, err = st.Assemble(a)
	return err
}

func snapshotTurn(s *Store, name string) error {
	st, err := s.Begin()
	if err != nil {
		return err
	}
	defer st.Close()
	f, err := s.Find(name)
	if err != nil {
		return nil // removed by somebody else
	}
	n, err := st.NewSnapshot(Snapshot{Layers: f.Layers, Image: f.ID}, func(*Snapshot) error { return nil })
	if err != nil {
		return nil // its layers were removed by somebody else
	}
	return s.RemoveSnapshot(n.ID)
}

func worker(t *testing.T, s *Store, turns int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), workerEnv+"="+s.root, workerEnv+"_TURNS="+strconv.Itoa(turns))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Commands in several processes at once leave a store that is whole.
func TestManyProcesses(t *testing.T) {
	s := newStore(t)
	var workers []*exec.Cmd
	for range 4 {
		workers = append(workers, worker(t, s, 40))
	}
	for _, w := range workers {
		if err := w.Wait(); err != nil {
			t.Error(err)
		}
	}
	wantWhole(t, s)
}

// Processes killed at any point leave a store that is whole, and what they
// left behind is removed by the next command.
func TestKilled(t *testing.T) {
	s := newStore(t)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for range 12 {
				w := worker(t, s, 1<<30)
				time.Sleep(time.Duration(20+rand.IntN(120)) * time.Millisecond)
				_ = w.Process.Kill()
				_ = w.Wait()
			}
		})
	}
	wait.Wait()
	again, err := Open(s.root)
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, again)
	if left, err := again.names("stages"); err != nil || len(left) > 0 {
		t.Errorf("%d stages are left (%v)", len(left), err)
	}
	for _, n := range must(again.Snapshots()) {
		if err := again.RemoveSnapshot(n.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := again.PruneImages(true, nil); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"layers", "blobs/sha256", "images", "snapshots", "stages"} {
		if left := must(again.names(folder)); len(left) > 0 {
			t.Errorf("%s holds %v after everything was removed", folder, left)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
