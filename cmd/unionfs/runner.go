package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"unionfs/layerstore"
	"unionfs/runner"
	"unionfs/runner/sandbox"
)

// house is a store with its containers.
type house struct {
	*shop
	*runner.Runner
}

// containers opens the store for commands that run containers: as root of a
// user namespace, also for a user who has one id alone.
func (f *storeFlags) containers() (*house, error) {
	if os.Geteuid() != 0 {
		return nil, f.enterHome()
	}
	s, err := f.open()
	if err != nil {
		return nil, err
	}
	if err := workHere(s.Root()); err != nil {
		return nil, err
	}
	volumes, err := s.sweptVolumes()
	if err != nil {
		return nil, err
	}
	h := &house{s, &runner.Runner{Store: s.Store, Driver: s.conf.StorageDriver, RunDir: runDir(), Volumes: volumes, Warn: warn}}
	return h, h.RemoveLost(context.Background())
}

// enterHome runs this command as root of a user namespace.
func (f *storeFlags) enterHome() error {
	conf, err := f.configuration()
	if err != nil {
		return err
	}
	maps, ok := mapsToEnter()
	if !ok {
		maps = sandbox.SingleMaps()
	}
	status, err := enterHome(conf.Root, maps)
	if err != nil {
		return err
	}
	return exitWith{status}
}

// runDir is where the sockets of containers are.
func runDir() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && !realRoot() {
		return filepath.Join(dir, "unionfs")
	}
	if realRoot() {
		return "/run/unionfs"
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("unionfs-%s", userKey()))
}

// userKey tells users apart who have no folder of their own: in a user namespace
// all are root.
func userKey() string {
	if home, err := os.UserHomeDir(); err == nil {
		return layerstore.DigestOf([]byte(home)).Hex()[:12]
	}
	return fmt.Sprint(os.Getuid())
}

// settled opens the store for a command that reads what a container, if what is
// one, has written.
func (f *storeFlags) settled(ctx context.Context, what string) (*shop, error) {
	h, c, err := f.perhapsContainer(what)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return h.shop, nil
	}
	return h.shop, h.Sync(ctx, c)
}

// perhapsContainer opens the store for a command about something that is a container
// or not: then it is nil, and the command says what there is.
func (f *storeFlags) perhapsContainer(what string) (*house, *runner.Container, error) {
	s, err := f.open()
	if err != nil {
		return nil, nil, err
	}
	h := &house{s, &runner.Runner{Store: s.Store, RunDir: runDir(), Warn: warn}}
	c, err := h.Runner.Find(what)
	if err != nil {
		return h, nil, nil
	}
	return h, &c, nil
}

// standStill pauses a container until goOn, which is always there. One that doesn't
// run is still, and who paused one has it go on himself.
func (h *house) standStill(ctx context.Context, c *runner.Container) (goOn func(), err error) {
	if c.State.Status != runner.Running || c.State.Paused {
		return func() {}, nil
	}
	if err := h.Freeze(ctx, c, true); err != nil {
		if now, ferr := h.Runner.Find(c.ID); ferr != nil || now.State.Status != runner.Running {
			err = nil // it has just ended
		}
		return func() {}, err
	}
	return func() {
		if err := h.Freeze(context.WithoutCancel(ctx), c, false); err != nil {
			warn(fmt.Sprintf("container %s stays paused: %v: unionfs unpause lets it go on", c.ID, err))
		}
	}, nil
}
