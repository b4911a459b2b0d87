package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noted is a driver that notes what it is asked.
type noted struct {
	mu    sync.Mutex
	dir   string
	have  map[string]bool
	uses  map[string]bool
	fails error // what Unmount answers
}

func newNoted(t *testing.T) *noted {
	return &noted{dir: t.TempDir(), have: map[string]bool{}, uses: map[string]bool{}}
}

func (d *noted) Name() string { return "noted" }

func (d *noted) Scope(context.Context) (string, error) { return "global", nil }

func (d *noted) Create(_ context.Context, name string, _ map[string]string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.have[name] = true
	return nil
}

func (d *noted) Get(_ context.Context, name string) (Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.have[name] {
		return Info{}, &NotFoundError{name}
	}
	return Info{Name: name, Mountpoint: d.dir, Status: map[string]any{"well": true}}, nil
}

func (d *noted) List(context.Context) ([]Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Info
	for name := range d.have {
		out = append(out, Info{Name: name, Mountpoint: d.dir})
	}
	return out, nil
}

func (d *noted) Mount(_ context.Context, name, id string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.uses[name+" "+id] = true
	return d.dir, nil
}

func (d *noted) Unmount(_ context.Context, name, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fails != nil {
		return d.fails
	}
	delete(d.uses, name+" "+id)
	return nil
}

func (d *noted) Remove(_ context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.have, name)
	return nil
}

func pluginStore(t *testing.T, d *noted) *Store {
	return newStore(t, Options{Plugin: func(_ context.Context, name string) (Driver, error) {
		if name != "noted" {
			return nil, &UnknownDriverError{name}
		}
		return d, nil
	}})
}

func TestPluginVolume(t *testing.T) {
	ctx := context.Background()
	d := newNoted(t)
	s := pluginStore(t, d)
	if _, err := s.Create(ctx, Request{Name: "v", Driver: "other"}); err == nil {
		t.Error("an unknown driver")
	}
	v := mustCreate(t, s, Request{Name: "v", Driver: "noted", Options: map[string]string{"any": "thing"}})
	if v.Scope != "global" || v.Mountpoint != d.dir || v.Status["well"] != true {
		t.Errorf("made: %+v", v)
	}
	var conflict *ConflictError
	if _, err := s.Create(ctx, Request{Name: "v"}); !errors.As(err, &conflict) {
		t.Errorf("the same name with another driver: %v", err)
	}
	u := mustUse(t, s, "v", "one")
	if u.Path() != d.dir || !d.uses["v one"] {
		t.Errorf("used at %s: %v", u.Path(), d.uses)
	}
	// What the plugin refuses is tried again.
	d.fails = errors.New("not now")
	if err := u.Release(ctx); !errors.Is(err, d.fails) {
		t.Errorf("release: %v", err)
	}
	v, err := s.Get(ctx, "v")
	if err != nil || !slices.Equal(v.Leaked, []string{"one"}) || len(v.Uses) > 0 {
		t.Errorf("leaked: %+v, %v", v, err)
	}
	d.fails = nil
	if err := s.Sweep(ctx); err != nil || len(d.uses) > 0 {
		t.Errorf("after the sweep: %v, %v", d.uses, err)
	}
	d.have = map[string]bool{}
	if v, err := s.Get(ctx, "v"); err != nil || v.Status["Missing"] == nil {
		t.Errorf("gone at the plugin: %+v, %v", v, err)
	}
	if err := s.Remove(ctx, "v", false, nil); err != nil {
		t.Error(err)
	}
}

// TestDeadPlugin: what can't be asked is listed all the same, and can be
// forgotten.
func TestDeadPlugin(t *testing.T) {
	ctx := context.Background()
	d := newNoted(t)
	dead := false
	s := newStore(t, Options{Plugin: func(context.Context, string) (Driver, error) {
		if dead {
			return nil, errors.New("nobody answers")
		}
		return d, nil
	}})
	mustCreate(t, s, Request{Name: "v", Driver: "noted"})
	mustCreate(t, s, Request{Name: "w"})
	dead = true
	all, err := s.List(ctx)
	if err != nil || len(all) != 2 || all[0].Driver != "noted" {
		t.Errorf("list: %+v, %v", all, err)
	}
	if err := s.Remove(ctx, "v", false, nil); err == nil {
		t.Error("removed without its plugin")
	}
	if err := s.Remove(ctx, "v", true, nil); err != nil {
		t.Error(err)
	}
}

// holderEnv has the test program hold a use until it is killed.
const holderEnv = "_VOLUMES_TEST_HOLDER"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(holderEnv) != "":
		holdForever(os.Getenv(holderEnv))
	case os.Getenv(busyEnv) != "":
		beBusy(os.Getenv(busyEnv))
	case os.Getenv(fillerEnv) != "":
		fillForever(os.Getenv(fillerEnv))
	}
	os.Exit(m.Run())
}

func holdForever(dir string) {
	s, err := Open(dir, Options{Plugin: func(context.Context, string) (Driver, error) { return &noted{dir: "/", uses: map[string]bool{}}, nil }})
	if err == nil {
		_, err = s.Use(context.Background(), "v", "held")
	}
	fmt.Println(err)
	time.Sleep(time.Hour)
}

// TestKilledHolder: the use of a process that was killed is found, shown and
// released.
func TestKilledHolder(t *testing.T) {
	ctx := context.Background()
	d := newNoted(t)
	s := pluginStore(t, d)
	mustCreate(t, s, Request{Name: "v", Driver: "noted"})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+s.Dir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line := make([]byte, 100)
	n, _ := out.Read(line)
	if string(line[:n]) != "<nil>\n" {
		t.Fatalf("the holder says %q", line[:n])
	}
	d.uses["v held"] = true
	if v, err := s.Get(ctx, "v"); err != nil || !slices.Equal(v.Uses, []string{"held"}) {
		t.Errorf("held: %+v, %v", v, err)
	}
	var used *InUseError
	if err := s.Remove(ctx, "v", false, nil); !errors.As(err, &used) {
		t.Errorf("remove: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if v, err := s.Get(ctx, "v"); err != nil || !slices.Equal(v.Leaked, []string{"held"}) || len(v.Uses) > 0 {
		t.Errorf("after its death: %+v, %v", v, err)
	}
	if err := s.Sweep(ctx); err != nil || len(d.uses) > 0 {
		t.Errorf("after the sweep: %v, %v", d.uses, err)
	}
	if v, err := s.Get(ctx, "v"); err != nil || len(v.Leaked) > 0 {
		t.Errorf("after the sweep: %+v, %v", v, err)
	}
}

// TestLastingUse: what other programs use outlives our processes, not the
// machine's start.
func TestLastingUse(t *testing.T) {
	ctx := context.Background()
	s := newStore(t, Options{})
	d := s.AsDriver("unionfs", nil)
	if err := d.Create(ctx, "v", nil); err != nil {
		t.Fatal(err)
	}
	const odd = "../an id/with: all"
	for _, id := range []string{"a", "a", odd} {
		if place, err := d.Mount(ctx, "v", id); err != nil || place != filepath.Join(s.Dir(), "v", "_data") {
			t.Errorf("mount %s: %s, %v", id, place, err)
		}
	}
	if err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	var used *InUseError
	if err := d.Remove(ctx, "v"); !errors.As(err, &used) || len(used.By) != 2 || !slices.Contains(used.By, odd) {
		t.Errorf("remove: %v", err)
	}
	for _, id := range []string{"a", "a", odd, "never"} {
		if err := d.Unmount(ctx, "v", id); err != nil {
			t.Errorf("unmount %s: %v", id, err)
		}
	}
	if _, err := d.Mount(ctx, "v", "b"); err != nil {
		t.Fatal(err)
	}
	// As after a start of the machine.
	path := s.usePath("v", "b")
	write(t, path, strings.ReplaceAll(read(t, path), bootID(), "another"))
	if err := d.Remove(ctx, "v"); err != nil {
		t.Errorf("remove after a start of the machine: %v", err)
	}
}

// TestFillTogether: of many containers that start at once with a new volume one
// fills it, and none sees half of it.
func TestFillTogether(t *testing.T) {
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	var fills int
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			u, err := s.Use(context.Background(), "v", fmt.Sprint("u", i))
			if err != nil {
				t.Error(err)
				return
			}
			err = u.Fill(context.Background(), func(dir int, _ bool) (bool, error) {
				fills++ // under the volume's lock
				for n := range 50 {
					if err := unix.Mkdirat(dir, fmt.Sprint("d", n), 0o755); err != nil {
						return false, err
					}
				}
				return true, nil
			})
			if err != nil {
				t.Error(err)
			}
			if names, err := namesIn(u.Path()); err != nil || len(names) != 50 {
				t.Errorf("%d names: %v", len(names), err)
			}
			if err := u.Release(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fills != 1 {
		t.Errorf("filled %d times", fills)
	}
}

// TestFillIsFinished: who dies between the two steps of a fill leaves what the
// next one finishes.
func TestFillIsFinished(t *testing.T) {
	s := newStore(t, Options{})
	mustCreate(t, s, Request{Name: "v"})
	dir := s.path("v")
	for _, path := range []string{fillNew, fillReady, dataDir + "/mine"} {
		if err := os.MkdirAll(filepath.Join(dir, path, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, fillReady, "mine2"), "theirs")
	write(t, filepath.Join(dir, fillReady, "f"), "filled")
	write(t, filepath.Join(dir, dataDir, "mine2"), "mine")
	if err := os.Chmod(filepath.Join(dir, fillReady), 0o711); err != nil {
		t.Fatal(err)
	}
	u := mustUse(t, s, "v", "1")
	if got := read(t, filepath.Join(u.Path(), "f")) + read(t, filepath.Join(u.Path(), "mine2")); got != "filledmine" {
		t.Errorf("finished: %q", got)
	}
	if fi, err := os.Stat(u.Path()); err != nil || fi.Mode().Perm() != 0o711 {
		t.Errorf("the root: %v, %v", fi, err)
	}
	for _, name := range []string{fillNew, fillReady} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	if m, err := s.readMeta("v"); err != nil || !m.Filled {
		t.Errorf("not noted: %+v, %v", m, err)
	}
	release(t, u)
}
