package main

import (
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"unionfs/fs"
)

// server is what serving needs of a mount.
type server interface {
	Wait() error
	Unmount() error
	Stats() string
}

// mountUnion makes the mount; tests put one without FUSE here.
var mountUnion = func(cfg fs.Config) (server, error) {
	srv, err := fs.Mount(cfg)
	if err != nil {
		return nil, err
	}
	return srv, nil
}

// serve mounts and stays until the mount is gone, whoever takes it away.
func serve(r *request, back *starter) error {
	signals := listen(back != nil)
	raiseDescriptorLimit()
	r.config.Union.Warn = warn
	r.config.Log = func(line string) { say("%s", line) }
	srv, err := mountUnion(r.config)
	if err != nil {
		return err
	}
	if err := leave(back); err != nil {
		return giveUp(srv, err)
	}
	go answer(signals, srv, r.config.Target)
	return srv.Wait()
}

// leave cuts the ties with the caller. The working directory goes too: the
// file system that it is on may be unmounted while we serve.
func leave(back *starter) error {
	if back == nil {
		return nil
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return back.release()
}

// giveUp takes back a mount that nobody was told of.
func giveUp(srv server, why error) error {
	if err := srv.Unmount(); err != nil {
		return fmt.Errorf("%w (and %w)", why, err)
	}
	return why
}

// raiseDescriptorLimit takes all descriptors we may have: layers, directories
// and open files below each cost one. Failing that, we live with fewer.
func raiseDescriptorLimit() {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	}
}

// listen collects signals from before the mount exists, so that none ends the
// process and leaves a dead mount behind. A closed pipe is an error of the
// write and not the end.
func listen(background bool) <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGUSR1)
	signal.Ignore(unix.SIGPIPE)
	if background {
		signal.Ignore(unix.SIGHUP)
	} else {
		signal.Notify(signals, unix.SIGHUP)
	}
	return signals
}
