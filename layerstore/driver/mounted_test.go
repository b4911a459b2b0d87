package driver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"unionfs/layerstore"
)

// in mounts a snapshot for as long as do runs.
func (b *bench) in(n layerstore.Snapshot, do func(dir string)) {
	b.Helper()
	b.mounted(order{Snapshot: n.ID}, do)
}

func (b *bench) view(chain []layerstore.DiffID, do func(dir string)) {
	b.Helper()
	b.mounted(order{Chain: chain}, do)
}

// mounted has a process of its own mount, which serves where that is needed. A
// test that uses a mount that it serves itself may wait for itself: the os
// package asks epoll about its files, with a processor held.
func (b *bench) mounted(o order, do func(dir string)) {
	b.Helper()
	o.Driver, o.Root, o.Target = b.d.Name(), b.s.Root(), b.TempDir()
	text, err := json.Marshal(o)
	b.must(err)
	cmd := exec.Command("/proc/self/exe")
	if b.command != nil {
		cmd = b.command
	}
	cmd.Env = append(os.Environ(), serveVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	b.must(err)
	out, err := cmd.StdoutPipe()
	b.must(err)
	b.must(cmd.Start())
	defer func() {
		if cmd.ProcessState == nil { // after a failure
			_ = unix.Unmount(o.Target, unix.MNT_DETACH)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "mounted\n" {
		b.Fatalf("the mount: %q, %v", line, err)
	}
	do(o.Target)
	b.must(in.Close())
	b.must(cmd.Wait())
}

// order is what the process that mounts is told.
type order struct {
	Driver, Root, Target string
	Snapshot             string
	Chain                []layerstore.DiffID

	ReadOnly, Volatile bool
	Flags              []string
}

func (o *order) options() MountOptions {
	return MountOptions{ReadOnly: o.ReadOnly, Volatile: o.Volatile, Options: o.Flags}
}

const serveVariable = "DRIVER_TEST_SERVE"

// serveOrder mounts until its standard input ends.
func serveOrder(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s, err := layerstore.Open(o.Root)
	if err != nil {
		return err
	}
	d, err := byName(o.Driver, s)
	if err != nil {
		return err
	}
	var m Mount
	if o.Snapshot == "" {
		m, err = d.View(context.Background(), o.Chain, o.Target, o.options())
	} else {
		n, ferr := s.Snapshot(o.Snapshot)
		if ferr != nil {
			return ferr
		}
		m, err = d.Mount(context.Background(), n, o.Target, o.options())
	}
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- m.Wait() }()
	fmt.Println("mounted")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if err := m.Unmount(); err != nil {
		return err
	}
	return <-done
}
