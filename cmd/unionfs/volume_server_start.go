package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// start starts a volume's server and hears what it says: that the mount answers,
// or why not.
func (u volumeUnions) start(job volumeServerJob) (*os.Process, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(ends[0])
	theirs := os.NewFile(uintptr(ends[1]), "ready")
	process, err := u.spawn(string(text), theirs)
	theirs.Close()
	if err != nil {
		return nil, fmt.Errorf("can't start the server of volume %s: %w", job.Tree.Name, err)
	}
	v, err := hear(ends[0])
	switch {
	case err != nil:
		err = fmt.Errorf("the server of volume %s ended before its mount answered: %w", job.Tree.Name, err)
	case v.Error != "":
		err = errors.New(v.Error)
	}
	if err != nil {
		_, _ = process.Wait()
		return nil, err
	}
	return process, nil
}

// hear waits for a server's verdict.
func hear(socket int) (v verdict, err error) {
	text := make([]byte, 64<<10)
	var n int
	for {
		n, _, _, _, err = unix.Recvmsg(socket, text, nil, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return v, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return v, errors.New("it said nothing")
	}
	return v, json.Unmarshal(text[:n], &v)
}

func (u volumeUnions) spawn(job string, ready *os.File) (*os.Process, error) {
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
		Files: []*os.File{null, null, os.Stderr, ready},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}
