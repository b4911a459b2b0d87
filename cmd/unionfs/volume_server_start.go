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
// with the mount if it is in no place, or why not.
func (u volumeUnions) start(job volumeServerJob) (*os.Process, *os.File, error) {
	text, err := json.Marshal(job)
	if err != nil {
		return nil, nil, err
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(ends[0])
	theirs := os.NewFile(uintptr(ends[1]), "ready")
	process, err := u.spawn(string(text), theirs)
	theirs.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("can't start the server of volume %s: %w", job.Tree.Name, err)
	}
	v, mount, err := hear(ends[0])
	switch {
	case err != nil:
		err = fmt.Errorf("the server of volume %s ended before its mount answered: %w", job.Tree.Name, err)
	case v.Error != "":
		err = errors.New(v.Error)
	case job.Target == "" && mount == nil:
		err = fmt.Errorf("the server of volume %s sent no mount", job.Tree.Name)
	}
	if err != nil {
		_, _ = process.Wait()
		return nil, nil, err
	}
	return process, mount, nil
}

// hear waits for a server's verdict, and the mount that may come along.
func hear(socket int) (v verdict, mount *os.File, err error) {
	text, rights := make([]byte, 64<<10), make([]byte, unix.CmsgSpace(4))
	var n, nr int
	for {
		n, nr, _, _, err = unix.Recvmsg(socket, text, rights, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return v, nil, os.NewSyscallError("recvmsg", err)
	}
	if n == 0 {
		return v, nil, errors.New("it said nothing")
	}
	if err := json.Unmarshal(text[:n], &v); err != nil {
		return v, nil, err
	}
	if nr == 0 {
		return v, nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights[:nr])
	if err != nil {
		return v, nil, err
	}
	for _, message := range messages {
		fds, err := unix.ParseUnixRights(&message)
		if err != nil {
			return v, nil, err
		}
		for _, fd := range fds {
			mount = os.NewFile(uintptr(fd), "volume")
		}
	}
	return v, mount, nil
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
