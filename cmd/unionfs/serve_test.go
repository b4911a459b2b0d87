package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs"
)

// fakeServer is a mount without FUSE. It is busy for the first unmounts.
type fakeServer struct {
	busy int
	done chan struct{}
}

func (s *fakeServer) Wait() error   { <-s.done; return nil }
func (s *fakeServer) Stats() string { return "requests 42" }
func (s *fakeServer) Unmount() error {
	if s.busy > 0 {
		s.busy--
		return errors.New("/t is in use")
	}
	close(s.done)
	return nil
}

// listenTo collects what is said on stderr.
func listenTo(t *testing.T) *bytes.Buffer {
	var said bytes.Buffer
	old := stderr
	stderr = &said
	t.Cleanup(func() { stderr = old })
	return &said
}

func TestSignals(t *testing.T) {
	said := listenTo(t)
	srv := &fakeServer{busy: 1, done: make(chan struct{})}
	signals := make(chan os.Signal)
	ended := make(chan struct{})
	go func() {
		answer(signals, srv, t.TempDir())
		close(ended)
	}()
	signals <- unix.SIGUSR1
	signals <- unix.SIGTERM
	signals <- unix.SIGINT
	close(signals)
	<-ended
	for _, want := range []string{"requests 42\n", "unionfs: /t is in use; send the signal again"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("stderr says %q, want %q in it", said, want)
		}
	}
	// The directory is no mount, and hence can't be detached; the words
	// depend on who asks.
	if lines := strings.Count(said.String(), "\n"); lines != 3 {
		t.Errorf("stderr says %q, want three lines", said)
	}
}

func TestServeEndsWithItsMount(t *testing.T) {
	listenTo(t)
	srv := &fakeServer{done: make(chan struct{})}
	old := mountUnion
	defer func() { mountUnion = old }()
	mountUnion = func(cfg fs.Config) (server, error) {
		if cfg.Union.Warn == nil || cfg.Log == nil {
			t.Error("warnings and incidents have nowhere to go")
		}
		return srv, nil
	}
	time.AfterFunc(10*time.Millisecond, func() { _ = srv.Unmount() })
	if err := serve(&request{settings: newSettings()}, nil); err != nil {
		t.Error(err)
	}
}

func TestServeTakesBackAMountThatNobodyWaitsFor(t *testing.T) {
	listenTo(t)
	srv := &fakeServer{done: make(chan struct{})}
	if err := giveUp(srv, errors.New("gone")); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
	select {
	case <-srv.done:
	default:
		t.Error("the mount is still there")
	}
}

func TestStaleEnvironmentMeansNothing(t *testing.T) {
	t.Setenv(readyEnv, "977")
	if back := findStarter(&request{settings: newSettings()}); back != nil {
		t.Error("a descriptor that isn't open was believed")
	}
	if os.Getenv(readyEnv) != "" {
		t.Error("the variable is still there for our children")
	}
}
