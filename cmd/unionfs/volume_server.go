package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/fs"
	"unionfs/volumes"
)

// volumeServerWord is the hidden command that serves the mount of one volume, in
// a process of its own. Containers come and go; and a process that reads a mount
// which it serves itself, and is killed meanwhile, waits for its own answer for
// ever, with all locks that it has.
const volumeServerWord = "__volume"

// volumeServerJob is what such a process is told. Without a target the mount is in
// no place, and is handed to the starter.
type volumeServerJob struct {
	Tree   volumes.Tree `json:"tree"`
	Target string       `json:"target,omitempty"`
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

// tell sends a verdict over a socket, with a descriptor if there is one.
func (s *starter) tell(v verdict, files ...int) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	return unix.Sendmsg(int(s.pipe.Fd()), text, rights, nil, unix.MSG_NOSIGNAL)
}

func (j *volumeServerJob) serve(ctx context.Context, s *shop, back *starter) error {
	signals := listen(true)
	raiseDescriptorLimit()
	lock, err := volumes.LockServer(ctx, j.Tree.Name, j.Tree.Lock)
	if err != nil {
		return back.fail(err)
	}
	defer lock.Close()
	srv, mount, err := j.mount(s)
	if err != nil {
		return back.fail(err)
	}
	if err := os.Chdir("/"); err != nil {
		return errors.Join(back.fail(err), srv.Unmount())
	}
	_ = detachOutput() // who waits for the end of our stderr gets it
	// A starter that is dead has left a use behind: the next command ends that,
	// and so this mount. One that is in no place ends with its last descriptor.
	_ = back.tell(verdict{}, mount...)
	back.pipe.Close()
	for _, fd := range mount {
		unix.Close(fd)
	}
	go answer(signals, srv, j.Target)
	return srv.Wait()
}

func (j *volumeServerJob) mount(s *shop) (*fs.Server, []int, error) {
	if j.Target != "" {
		srv, err := fs.Mount(volumeUnions{s}.config(&j.Tree, j.Target))
		return srv, nil, err
	}
	srv, fd, err := fs.MountDetached(volumeUnions{s}.config(&j.Tree, "volume "+j.Tree.Name))
	return srv, []int{fd}, err
}

// Serve starts a server for a volume and comes back when its mount answers.
func (u volumeUnions) Serve(_ context.Context, t volumes.Tree, target string) error {
	process, _, err := u.start(volumeServerJob{t, target})
	if err != nil {
		return err
	}
	go func() { _, _ = process.Wait() }() // should it end before us
	return nil
}

// detachPatience is how long a server may take to end whose mount nobody has any
// more.
const detachPatience = 10 * time.Second

// Detach starts a server whose mount is this process's.
func (u volumeUnions) Detach(_ context.Context, t volumes.Tree) (*os.File, func() error, error) {
	process, mount, err := u.start(volumeServerJob{Tree: t})
	if err != nil {
		return nil, nil, err
	}
	ended := make(chan error, 1)
	go func() {
		state, err := process.Wait()
		if err == nil && !state.Success() {
			err = fmt.Errorf("the server of volume %s: %v", t.Name, state)
		}
		ended <- err
	}()
	end := sync.OnceValue(func() error {
		select {
		case err := <-ended:
			return err
		case <-time.After(detachPatience):
			return fmt.Errorf("volume %s is still mounted somewhere", t.Name)
		}
	})
	return mount, end, nil
}
