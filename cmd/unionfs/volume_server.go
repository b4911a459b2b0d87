package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"unionfs/fs"
	"unionfs/volumes"
)

// volumeServerWord is the hidden command that serves the mount of one volume, in
// a process of its own because containers come and go.
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
	_ = json.NewEncoder(s.pipe).Encode(verdict{exitFailed, why.Error()}) // if nobody waits any more, nobody is told
	s.pipe.Close()
	return exitWith{exitFailed}
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
	_ = json.NewEncoder(back.pipe).Encode(verdict{})
	back.pipe.Close()
	go answer(signals, srv, j.Target)
	return srv.Wait()
}

// Serve starts a server for a volume and comes back when its mount answers.
func (u volumeUnions) Serve(_ context.Context, t volumes.Tree, target string) error {
	job, err := json.Marshal(volumeServerJob{t, target})
	if err != nil {
		return err
	}
	ready, done, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	process, err := u.spawn(string(job), done)
	done.Close()
	if err != nil {
		return fmt.Errorf("can't start the server of volume %s: %w", t.Name, err)
	}
	var v verdict
	text, err := io.ReadAll(ready)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		_, _ = process.Wait()
		return fmt.Errorf("the server of volume %s ended before its mount answered", t.Name)
	}
	if v.Error != "" {
		_, _ = process.Wait()
		return errors.New(v.Error)
	}
	go func() { _, _ = process.Wait() }() // should it end before us
	return nil
}

func (u volumeUnions) spawn(job string, done *os.File) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	self, err := ownPath()
	if err != nil {
		return nil, err
	}
	if err := keepDescriptorsHome(); err != nil {
		return nil, err
	}
	args := []string{"unionfs", "--root", u.s.Root(), "--storage-driver", u.s.conf.StorageDriver, volumeServerWord, job}
	return os.StartProcess(self, args, &os.ProcAttr{
		Dir:   "/",
		Env:   append(os.Environ(), readyEnv+"="+strconv.Itoa(readyFD)),
		Files: []*os.File{null, null, os.Stderr, done},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}
