package volumes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newStore opens a store in a directory of the test's own.
func newStore(t *testing.T, o Options) *Store {
	t.Helper()
	o.Warn = func(line string) { t.Log("warning:", line) }
	s, err := Open(filepath.Join(t.TempDir(), "volumes"), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustCreate(t *testing.T, s *Store, r Request) Volume {
	t.Helper()
	v, err := s.Create(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustUse(t *testing.T, s *Store, name, id string) *Use {
	t.Helper()
	u, err := s.Use(context.Background(), name, id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func release(t *testing.T, u *Use) {
	t.Helper()
	if err := u.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPlainVolume(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	v := mustCreate(t, s, Request{Name: "data", Labels: map[string]string{"a": "b"}})
	if v.Driver != Local || v.Scope != "local" || v.Mountpoint != filepath.Join(s.Dir(), "data", "_data") || v.Labels["a"] != "b" {
		t.Errorf("made: %+v", v)
	}
	u := mustUse(t, s, "data", "one")
	write(t, filepath.Join(u.Path(), "f"), "kept")
	other := mustUse(t, s, "data", "two")
	if got := read(t, filepath.Join(other.Path(), "f")); got != "kept" {
		t.Errorf("the other use reads %q", got)
	}
	if _, err := s.Use(ctx, "data", "one"); err == nil {
		t.Error("the same id twice")
	}
	var used *InUseError
	if err := s.Remove(ctx, "data", false, nil); !errors.As(err, &used) || !slices.Equal(used.By, []string{"one", "two"}) {
		t.Errorf("remove while in use: %v", err)
	}
	release(t, u)
	release(t, other)
	by := func(string) ([]string, error) { return []string{"web"}, nil }
	if err := s.Remove(ctx, "data", false, by); !errors.As(err, &used) || !strings.Contains(err.Error(), "web") {
		t.Errorf("remove while a container has it: %v", err)
	}
	if err := s.Remove(ctx, "data", false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(ctx, "data"); !IsNotFound(err) {
		t.Errorf("after remove: %v", err)
	}
	if _, err := s.Use(ctx, "data", "three"); !IsNotFound(err) {
		t.Errorf("use after remove: %v", err)
	}
	noLeftovers(t, s)
}

// noLeftovers makes sure that the store has nothing but volumes and layers.
func noLeftovers(t *testing.T, s *Store) {
	t.Helper()
	names, err := namesIn(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, stagePrefix) {
			t.Errorf("%s is left over", name)
		}
	}
}

func TestNames(t *testing.T) {
	s := newStore(t, Options{})
	for _, name := range []string{"..", ".x", "a/b", "-a", "a b", "a\n", strings.Repeat("x", 256)} {
		if _, err := s.Create(context.Background(), Request{Name: name}); err == nil {
			t.Errorf("%q was accepted", name)
		}
		if _, err := s.Get(context.Background(), name); !IsNotFound(err) {
			t.Errorf("get %q: %v", name, err)
		}
		if err := s.Remove(context.Background(), name, false, nil); !IsNotFound(err) {
			t.Errorf("remove %q: %v", name, err)
		}
	}
	v := mustCreate(t, s, Request{Anonymous: true})
	if len(v.Name) != 64 || !v.Anonymous {
		t.Errorf("anonymous: %+v", v)
	}
}

func TestFillOnce(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	u := mustUse(t, s, "v", "1")
	fills := 0
	fill := func(dir int, _ bool) (bool, error) {
		fills++
		if err := unix.Mkdirat(dir, "sub", 0o700); err != nil {
			return false, err
		}
		return true, unix.Fchmod(dir, 0o1777)
	}
	failed := errors.New("no")
	err := u.Fill(ctx, func(dir int, _ bool) (bool, error) {
		if err := unix.Mkdirat(dir, "half", 0o700); err != nil {
			return false, err
		}
		return true, failed
	})
	if !errors.Is(err, failed) {
		t.Errorf("a fill that fails: %v", err)
	}
	if empty, _ := isEmpty(u.Path()); !empty {
		t.Error("a fill that failed left something")
	}
	if err := u.Fill(ctx, func(int, bool) (bool, error) { return false, nil }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := u.Fill(ctx, fill); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(u.Path(), "sub")); err != nil {
		t.Fatal(err)
	}
	if err := u.Fill(ctx, fill); err != nil {
		t.Fatal(err)
	}
	if fills != 1 {
		t.Errorf("filled %d times", fills)
	}
	if fi, err := os.Stat(u.Path()); err != nil || fi.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("the root: %v, %v", fi.Mode(), err)
	}
	release(t, u)
}

func TestBadOptions(t *testing.T) {
	s := newStore(t, Options{})
	for key, o := range map[string]map[string]string{
		"sise":   {"sise": "1g"},
		"size":   {"size": "much"},
		"type":   {"device": "/dev/sda"},
		"device": {"type": "ext4"},
		"o":      {"type": "tmpfs", "o": "remount"},
		"from":   {"from": ""},
	} {
		_, err := s.Create(context.Background(), Request{Name: "v", Options: o})
		var bad *BadOptionError
		if !errors.As(err, &bad) || bad.Key != key {
			t.Errorf("%v: %v", o, err)
		}
	}
	noLeftovers(t, s)
}

func TestBusyVolume(t *testing.T) {
	s := newStore(t, Options{Patience: 20 * time.Millisecond})
	mustCreate(t, s, Request{Name: "v"})
	l, err := lockPath(s.path("v"))
	if err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := s.Use(context.Background(), "v", "1"); !errors.As(err, &busy) {
		t.Errorf("use: %v", err)
	}
	if all, err := s.List(context.Background()); err != nil || len(all) != 1 {
		t.Errorf("list: %+v, %v", all, err)
	}
	l.release()
	release(t, mustUse(t, s, "v", "1"))
}
