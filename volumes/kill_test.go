package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noUnions stands for unions in tests that never mount one. It keeps images in
// files, as the real one does, so that processes see each other's.
type noUnions struct{ dir string }

func (n noUnions) Serve(context.Context, Tree, string) error {
	return errors.New("nothing is mounted here")
}

func (n noUnions) Hold(_ context.Context, image, name string) error {
	if image == "none" {
		return errors.New("no such image")
	}
	return os.MkdirAll(filepath.Join(n.dir, name), 0o755)
}

func (n noUnions) Held(_ context.Context, name string) ([]string, error) {
	return []string{filepath.Join(n.dir, name)}, nil
}

func (n noUnions) Root(_ context.Context, name string) (string, error) {
	return filepath.Join(n.dir, name), nil
}

func (n noUnions) LetGo(_ context.Context, name string) error {
	return os.RemoveAll(filepath.Join(n.dir, name))
}

func layeredStore(t *testing.T) *Store {
	t.Helper()
	images := t.TempDir()
	s := newStore(t, Options{Unions: noUnions{images}})
	return s
}

// busyEnv has the test program change a store until it is killed.
const busyEnv = "_VOLUMES_TEST_BUSY"

func beBusy(dirs string) {
	dir, images, _ := strings.Cut(dirs, "\n")
	s, err := Open(dir, Options{Unions: noUnions{images}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	for i := 0; ; i++ {
		if err := oneRound(ctx, s, i%2 == 1); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// oneRound does all that changes a store. Volumes of earlier rounds, and of
// killed ones, may be there.
func oneRound(ctx context.Context, s *Store, copied bool) error {
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := s.Remove(ctx, name, false, nil); err != nil && !IsNotFound(err) {
			return fmt.Errorf("remove: %w", err)
		}
	}
	if _, err := s.Create(ctx, Request{Name: "a"}); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	u, err := s.Use(ctx, "a", "use")
	if err != nil {
		return fmt.Errorf("use: %w", err)
	}
	err = u.Fill(ctx, func(dir int, _ bool) (bool, error) {
		for _, name := range []string{"one", "two"} {
			if err := unix.Mkdirat(dir, name, 0o755); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err == nil {
		err = u.Release(ctx)
	}
	if err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	if _, err := s.Snapshot(ctx, "a", SnapshotOptions{Name: "s", Copy: copied}); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if _, err := s.Clone(ctx, "a@s", Request{Name: "b"}, nil); err != nil {
		return fmt.Errorf("clone: %w", err)
	}
	if _, err := s.Create(ctx, Request{Name: "c", Options: map[string]string{"from": "some:image"}}); err != nil {
		return fmt.Errorf("from an image: %w", err)
	}
	if err := s.Restore(ctx, "a", "s"); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if _, err := s.Create(ctx, Request{Name: "d", Options: map[string]string{"from": "b", "size": "1m"}}); err != nil {
		return fmt.Errorf("from a volume: %w", err)
	}
	return nil
}

// TestKilledInTheMiddle kills a process that changes a store at any moment. What
// it leaves is whole, and the next command can go on.
func TestKilledInTheMiddle(t *testing.T) {
	ctx := context.Background()
	s := layeredStore(t)
	images := s.o.Unions.(noUnions).dir
	random := rand.New(rand.NewPCG(1, 2))
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for i := range rounds {
		killOne(t, s.Dir(), images, time.Duration(random.IntN(60_000))*time.Microsecond)
		again, err := Open(s.Dir(), s.o)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		checkStore(t, again)
		if t.Failed() {
			t.Fatalf("after kill %d", i)
		}
	}
	if err := oneRound(ctx, s, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := s.Remove(ctx, name, false, nil); err != nil {
			t.Error(err)
		}
	}
	if names, err := namesIn(s.path(layersDir)); err != nil || len(names) > 0 {
		t.Errorf("layers that nobody needs: %v, %v", names, err)
	}
	if names, err := namesIn(images); err != nil || len(names) > 0 {
		t.Errorf("images that nobody needs are held: %v, %v", names, err)
	}
	noLeftovers(t, s)
}

func killOne(t *testing.T, dir, images string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), busyEnv+"="+dir+"\n"+images)
	out := &strings.Builder{}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(15*time.Millisecond + after) // past its start
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if out.Len() > 0 {
		t.Fatalf("the busy one failed by itself: %s", out)
	}
}

// checkStore makes sure that all volumes are whole: each can be used, has its
// data once it was filled, and has the layers that it is made of.
func checkStore(t *testing.T, s *Store) {
	t.Helper()
	noLeftovers(t, s)
	all, err := s.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		err := s.withVolume(v.Name, func(m *meta) error {
			for id := range m.layers() {
				if _, err := os.Lstat(s.path(layersDir, id)); err != nil {
					t.Errorf("%s: %v", v.Name, err)
				}
			}
			if _, err := os.Stat(s.path(v.Name, dataDir)); err != nil {
				t.Error(err)
			}
			return isWhole(t, s, m)
		})
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
	}
}

// isWhole looks for what each volume that was filled has.
func isWhole(t *testing.T, s *Store, m *meta) error {
	if m.Name == "c" || !m.Filled && len(m.Snapshots) == 0 && m.Stack == nil {
		return nil
	}
	dirs := []string{s.fillTarget(m)}
	if m.Stack != nil {
		for _, id := range m.Stack.Layers {
			dirs = append(dirs, s.layerTree(id))
		}
	}
	for _, name := range []string{"one", "two"} {
		found := false
		for _, dir := range dirs {
			_, err := os.Stat(filepath.Join(dir, name))
			found = found || err == nil
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if !found {
			t.Errorf("volume %s has lost %s: %+v", m.Name, name, m)
		}
	}
	return nil
}
