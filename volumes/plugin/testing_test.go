package plugin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"unionfs/volumes"
)

// need ends a test that can't do without a program. In CI that is a failure.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: the program %s", program)
	}
	t.Skipf("needs the program %s", program)
}

// folders is a driver whose volumes are folders: there while mounted.
type folders struct {
	base string

	mu      sync.Mutex
	options map[string]map[string]string
	uses    map[string][]string
	failing error // what everything answers, when set
}

func newFolders(t *testing.T) *folders {
	return &folders{base: t.TempDir(), options: map[string]map[string]string{}, uses: map[string][]string{}}
}

func (f *folders) Name() string { return "folders" }

func (f *folders) Scope(context.Context) (string, error) { return "global", f.failing }

func (f *folders) Create(_ context.Context, name string, options map[string]string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.options[name]; there || f.failing != nil {
		return f.failing
	}
	if options == nil {
		options = map[string]string{}
	}
	f.options[name] = options
	return os.Mkdir(filepath.Join(f.base, name), 0o755)
}

func (f *folders) Get(_ context.Context, name string) (volumes.Info, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info(name)
}

func (f *folders) info(name string) (volumes.Info, error) {
	if f.failing != nil {
		return volumes.Info{}, f.failing
	}
	options, there := f.options[name]
	if !there {
		return volumes.Info{}, &volumes.NotFoundError{Name: name}
	}
	i := volumes.Info{Name: name, CreatedAt: time.Unix(1e9, 0).UTC(), Status: map[string]any{"uses": len(f.uses[name])}}
	for k, v := range options {
		i.Status[k] = v
	}
	if len(f.uses[name]) > 0 {
		i.Mountpoint = filepath.Join(f.base, name)
	}
	return i, nil
}

func (f *folders) List(context.Context) (all []volumes.Info, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(f.options)) {
		i, err := f.info(name)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, f.failing
}

func (f *folders) Mount(_ context.Context, name, id string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.info(name); err != nil {
		return "", err
	}
	if !slices.Contains(f.uses[name], id) {
		f.uses[name] = append(f.uses[name], id)
	}
	return filepath.Join(f.base, name), nil
}

func (f *folders) Unmount(_ context.Context, name, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uses[name] = slices.DeleteFunc(f.uses[name], func(use string) bool { return use == id })
	return f.failing
}

func (f *folders) Remove(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.info(name); err != nil {
		return err
	}
	if by := f.uses[name]; len(by) > 0 {
		return &volumes.InUseError{Name: name, By: by}
	}
	delete(f.options, name)
	return os.RemoveAll(filepath.Join(f.base, name))
}

// places are directories of a test's own.
func places(t *testing.T) Directories {
	t.Helper()
	base := t.TempDir()
	d := Directories{
		Sockets: []string{filepath.Join(base, "run")},
		Specs:   []string{filepath.Join(base, "etc"), filepath.Join(base, "lib")},
	}
	for _, dir := range append(d.Sockets, d.Specs...) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// serve offers a driver until the test ends.
func serve(t *testing.T, s *Server, path string) {
	t.Helper()
	socket, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, socket) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
}

// serveHTTP offers a plugin that is made of a handler.
func serveHTTP(t *testing.T, handler http.Handler, path string) {
	t.Helper()
	socket, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(socket) }()
	t.Cleanup(func() { _ = server.Close() })
}

// find is Find among the places of the test, without patience.
func find(t *testing.T, d Directories, name string, options ...Option) volumes.Driver {
	t.Helper()
	found, err := Find(t.Context(), name, append([]Option{In(d), Patience(0), Warn(func(line string) { t.Log(line) })}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// checkLife goes through all that a driver promises. mounted looks at a
// mountpoint that a container would use.
func checkLife(t *testing.T, d volumes.Driver, options map[string]string, mounted func(at string)) {
	t.Helper()
	ctx := t.Context()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if _, err := d.Get(ctx, "life"); !volumes.IsNotFound(err) {
		t.Fatalf("Get of no volume: %v", err)
	}
	if _, err := d.Mount(ctx, "life", "use-0"); !volumes.IsNotFound(err) {
		t.Fatalf("Mount of no volume: %v", err)
	}
	must("Unmount of no volume", d.Unmount(ctx, "life", "use-0"))
	must("Create", d.Create(ctx, "life", options))
	must("Create again", d.Create(ctx, "life", options))
	info, err := d.Get(ctx, "life")
	must("Get", err)
	if info.Name != "life" || info.CreatedAt.IsZero() {
		t.Errorf("Get answers %+v", info)
	}
	all, err := d.List(ctx)
	must("List", err)
	if len(all) != 1 || all[0].Name != "life" {
		t.Errorf("List answers %+v", all)
	}
	first, err := d.Mount(ctx, "life", "use-1")
	must("Mount", err)
	mounted(first)
	again, err := d.Mount(ctx, "life", "use-1")
	must("Mount with the same id", err)
	second, err := d.Mount(ctx, "life", "use-2")
	must("Mount with another id", err)
	if first != again || first != second {
		t.Errorf("three mounts of one volume are at %s, %s and %s", first, again, second)
	}
	if err := d.Remove(ctx, "life"); err == nil || volumes.IsNotFound(err) {
		t.Errorf("Remove of a used volume: %v", err)
	}
	must("Unmount", d.Unmount(ctx, "life", "use-1"))
	must("Unmount again", d.Unmount(ctx, "life", "use-1"))
	mounted(first) // use-2 still has it
	must("Unmount of the last", d.Unmount(ctx, "life", "use-2"))
	must("Unmount of a use that never was", d.Unmount(ctx, "life", "use-3"))
	must("Remove", d.Remove(ctx, "life"))
	if _, err := d.Get(ctx, "life"); !volumes.IsNotFound(err) {
		t.Errorf("Get after Remove: %v", err)
	}
	if err := d.Remove(ctx, "life"); !volumes.IsNotFound(err) {
		t.Errorf("Remove after Remove: %v", err)
	}
	all, err = d.List(ctx)
	must("List of nothing", err)
	if len(all) != 0 {
		t.Errorf("List of nothing answers %+v", all)
	}
}

// writable is a mountpoint's check: what is written can be read.
func writable(t *testing.T) func(string) {
	return func(at string) {
		t.Helper()
		name := filepath.Join(at, fmt.Sprint("file-", time.Now().UnixNano()))
		if err := os.WriteFile(name, []byte("text"), 0o644); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(name); err != nil || string(data) != "text" {
			t.Fatalf("%s has %q, %v", name, data, err)
		}
	}
}
