package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"unionfs/volumes"
	"unionfs/volumes/plugin"
)

// register is a driver that only writes down what it is asked to make.
type register struct {
	volumes.Driver // nothing else is called
	made           map[string]map[string]string
}

func (r *register) Get(_ context.Context, name string) (volumes.Info, error) {
	if _, there := r.made[name]; !there {
		return volumes.Info{}, &volumes.NotFoundError{Name: name}
	}
	return volumes.Info{Name: name}, nil
}

func (r *register) List(context.Context) (all []volumes.Info, _ error) {
	for name := range r.made {
		all = append(all, volumes.Info{Name: name})
	}
	return all, nil
}

func (r *register) Create(_ context.Context, name string, options map[string]string) error {
	r.made[name] = options
	return nil
}

// offering runs the command in this process; the function ends it.
func offering(t *testing.T, flags ...string) (*register, func() error) {
	t.Helper()
	r := &register{made: map[string]map[string]string{}}
	cmd := volumeServeCommand(func() (volumes.Driver, error) { return r, nil })
	cmd.SetArgs(flags)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	return r, func() error { cancel(); return <-ended }
}

// found waits for a plugin in one folder.
func found(t *testing.T, dir string) volumes.Driver {
	t.Helper()
	d, err := plugin.Find(t.Context(), "unionfs", plugin.In(plugin.Directories{Sockets: []string{dir}, Specs: []string{dir}}))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestVolumeServeOptions(t *testing.T) {
	bind := map[string]string{"type": "none", "o": "bind", "device": "/etc"}
	for _, c := range []struct {
		flags   []string
		options map[string]string
		refused string
	}{
		{nil, map[string]string{"size": "1g", "from": "docker.io/library/debian:12"}, ""},
		{nil, bind, "not accepted here"},
		{nil, map[string]string{"from": "/etc"}, "is a path"},
		{[]string{"--allow-binds"}, bind, ""},
		{[]string{"--allow-binds"}, map[string]string{"uid": "0"}, "not accepted here"},
	} {
		dir := t.TempDir()
		r, end := offering(t, append(c.flags, "--socket", filepath.Join(dir, "unionfs.sock"))...)
		err := found(t, dir).Create(t.Context(), "data", c.options)
		switch {
		case c.refused == "" && (err != nil || len(r.made["data"]) != len(c.options)):
			t.Errorf("%v with %v: %v, %v is made", c.flags, c.options, err, r.made)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused) || len(r.made) > 0):
			t.Errorf("%v with %v: %v, %v is made", c.flags, c.options, err, r.made)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

// TestVolumeServeSocket: the socket is for whom it was asked to be, what was
// asked for leads to it, and nothing of it is left.
func TestVolumeServeSocket(t *testing.T) {
	dir := t.TempDir()
	socket, spec := filepath.Join(dir, "made", "unionfs.sock"), filepath.Join(dir, "specs", "unionfs.spec")
	_, end := offering(t, "--socket", socket, "--spec="+spec, "--group", fmt.Sprint(os.Getegid()))
	d := found(t, filepath.Dir(spec))
	if _, err := d.List(t.Context()); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(socket); err != nil || info.Mode().String() != "Srw-rw----" {
		t.Errorf("the socket is %v, %v", info, err)
	}
	_, second := offering(t, "--socket", socket)
	if err := second(); err == nil || !strings.Contains(err.Error(), "another server listens at "+socket) {
		t.Errorf("a second server: %v", err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	for _, file := range []string{socket, spec} {
		if _, err := os.Lstat(file); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", file, err)
		}
	}
}

func TestVolumeServeMistakes(t *testing.T) {
	dir := t.TempDir()
	for _, flags := range [][]string{
		{"--group", "nosuchgroup"}, {"words"}, {"--spec=" + filepath.Join(dir, "unionfs")},
	} {
		_, end := offering(t, append(flags, "--socket", filepath.Join(dir, "unionfs.sock"))...)
		var usage usageError
		if err := end(); err == nil || !errors.As(err, &usage) && !strings.HasPrefix(flags[0], "--spec") {
			t.Errorf("%v: %v", flags, err)
		}
	}
}
