package main

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
	"unionfs/volumes"
)

// An ordinary user's commands work in a user namespace and a mount namespace, of
// which the kernel lets nobody outside see the mounts (fuse(4), allow_other; a
// sibling namespace is outside). So that containers can share a volume that is a
// mount, commands which handle containers enter the namespaces of the one that
// began before them, if it still runs, or anything else that it began. A process
// that does nothing, the holder, keeps the namespaces until the last command there
// ends (volumes.EnterNamespace).

// home says in which namespaces the commands about a store's containers work.
type home struct {
	Holder    int    `json:"holder"`
	Namespace uint64 `json:"namespace"`
}

// alive tells whether the holder is there, and no other process of that number.
func (h home) alive() bool {
	if h.Holder == 0 {
		return false
	}
	inode, err := volumes.NamespaceOf(strconv.Itoa(h.Holder))
	return err == nil && inode == h.Namespace
}

// holderWord is the hidden command that keeps namespaces.
const holderWord = "__namespace"

func holderCommand() *cobra.Command {
	return &cobra.Command{
		Use:    holderWord + " FILE",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			// Not for commands that end at once.
			time.AfterFunc(time.Second, sandbox.GiveMemoryBack)
			// The lock goes with this process: who waits for it finds no holder.
			var err error
			workplace, err = volumes.OutliveNamespace(args[0])
			return err
		},
	}
}

// enterHome runs this command again in the namespaces in which other commands
// about the store's containers are at work, or in new ones. There must be a store.
func enterHome(root string, maps sandbox.IDMaps) (status int, err error) {
	dir := filepath.Join(root, "volumes")
	if _, err := os.Stat(root); err != nil {
		return sandbox.RunInUserNS(maps, nil)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(filepath.Join(dir, ".home"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := lockFile(f); err != nil {
		return 0, err
	}
	h := readHome(f)
	if h.alive() {
		lock, err := volumes.JoinNamespace(dir, h.Namespace)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		if err == nil && !volumes.IsOver(lock) && h.alive() {
			defer lock.Close()
			f.Close()
			return sandbox.RunInUserNSOf(h.Holder)
		}
		// Servers of mounts there wait for the last lock before they end, and the
		// next use of their volumes for them.
		lock.Close()
	}
	var lock *os.File
	defer func() { lock.Close() }() // of a nil file it is an error, and nothing else
	return sandbox.RunInUserNS(maps, func(pid int) error {
		inode, err := volumes.NamespaceOf(strconv.Itoa(pid))
		if err != nil {
			return err
		}
		if lock, err = volumes.EnterNamespace(dir, inode); err != nil {
			return err
		}
		// The kernel gives the number of a namespace that is gone to the next one.
		if err := os.Truncate(lock.Name(), 0); err != nil {
			return err
		}
		holder, err := sandbox.StartInUserNSOf(pid, []string{"unionfs", holderWord, lock.Name()})
		if err != nil {
			return err
		}
		go func() { _, _ = holder.Wait() }() // should it end before us
		defer f.Close()
		return writeHome(f, home{holder.Pid, inode})
	})
}

func lockFile(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}

// readHome reads what may be half written by somebody who was killed: that is no
// home.
func readHome(f *os.File) (h home) {
	text, err := io.ReadAll(f)
	if err != nil || json.Unmarshal(text, &h) != nil {
		return home{}
	}
	return h
}

func writeHome(f *os.File, h home) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	return errors.Join(err, f.Truncate(int64(len(text))))
}

// workplace is locked until this process ends (workHere, holderCommand).
var workplace *os.File

// workHere says, until this process ends, that somebody works in its namespace.
func workHere(root string) error {
	if realRoot() || workplace != nil {
		return nil
	}
	inode, err := volumes.NamespaceOf("self")
	if err == nil {
		workplace, err = volumes.EnterNamespace(filepath.Join(root, "volumes"), inode)
	}
	return err
}
