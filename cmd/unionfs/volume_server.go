package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/fs/transport"
	"unionfs/volumes"
)

// volumeServerWord is the hidden command that serves the mount of one volume, in
// a process of its own. Containers come and go; and a process that reads a mount
// which it serves itself, and is killed meanwhile, waits for its own answer for
// ever, with all locks that it has.
const volumeServerWord = "__volume"

// volumeServerJob is what such a process is told.
type volumeServerJob struct {
	Tree   volumes.Tree `json:"tree"`
	Target string       `json:"target"`
}

func volumeServerCommand(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:    volumeServerWord + " JOB",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var job volumeServerJob
			if err := json.Unmarshal([]byte(args[0]), &job); err != nil {
				return usagef("%s is started by unionfs itself: %v", volumeServerWord, err)
			}
			back := takeStarter()
			if back == nil {
				return usagef("%s is started by unionfs itself", volumeServerWord)
			}
			s, err := f.open()
			if err != nil {
				return back.fail(err)
			}
			return job.serve(cmd.Context(), s, back)
		},
	}
}

// fail tells the starter why nothing is served.
func (s *starter) fail(why error) error {
	_ = s.tell(verdict{exitFailed, why.Error()}) // if nobody waits any more, nobody is told
	s.pipe.Close()
	return exitWith{exitFailed}
}

// tell sends a verdict over a socket.
func (s *starter) tell(v verdict) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return unix.Sendmsg(int(s.pipe.Fd()), text, nil, nil, unix.MSG_NOSIGNAL)
}

func (j *volumeServerJob) serve(ctx context.Context, s *shop, back *starter) error {
	signals := listen(true)
	raiseDescriptorLimit()
	lock, err := volumes.LockServer(ctx, j.Tree.Name, j.Tree.Lock)
	if err != nil {
		return back.fail(err)
	}
	defer lock.Close()
	srv, err := fs.Mount(volumeUnions{s}.config(&j.Tree, j.Target))
	if err != nil {
		return back.fail(err)
	}
	if err := os.Chdir("/"); err != nil {
		return errors.Join(back.fail(err), srv.Unmount())
	}
	_ = detachOutput() // who waits for the end of our stderr gets it
	// A starter that is dead has left a use behind: the next command ends that,
	// and so this mount.
	_ = back.tell(verdict{})
	back.pipe.Close()
	go answer(signals, srv, j.Target)
	if j.Tree.Namespace != "" {
		go j.endWithNamespace(srv)
	}
	return srv.Wait()
}

// endWithNamespace ends a mount that nobody can see any more, and which alone keeps
// its namespace alive.
func (j *volumeServerJob) endWithNamespace(srv *fs.Server) {
	lock, err := volumes.OutliveNamespace(j.Tree.Namespace)
	if err != nil {
		warn(fmt.Sprintf("volume %s: it is served until it is unmounted: %v", j.Tree.Name, err))
		return
	}
	if lock != nil {
		defer lock.Close()
	}
	if srv.Unmount() != nil {
		_ = transport.UnmountLazy(j.Target) // then it ends with its last open file
	}
}

// Serve starts a server for a volume and comes back when its mount answers.
func (u volumeUnions) Serve(_ context.Context, t volumes.Tree, target string) error {
	process, err := u.start(volumeServerJob{t, target})
	if err != nil {
		return err
	}
	go func() { _, _ = process.Wait() }() // should it end before us
	return nil
}
