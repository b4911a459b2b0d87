package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// mount is the mount of one run.
type mount struct {
	ctx    context.Context
	target Target
	// copied is what a native target shows read-only; "" when the run has a
	// copy of its own in mounted already.
	copied string
	layout
	// servers are the processes that serve the mount.
	servers []int
	begun   bool
}

// begin mounts. Whatever stays of the mount command is its server.
func (m *mount) begin() error {
	if m.target.Native {
		return m.beginNative()
	}
	argv, dir := m.target.command(m.layout)
	cmd := exec.CommandContext(m.ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	if err := runTool(cmd); err != nil {
		return err
	}
	m.begun = true
	m.servers = descendants()
	return nil
}

func (m *mount) beginNative() error {
	if m.copied == "" {
		return nil
	}
	if err := unix.Mount(m.copied, m.mounted, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", m.copied, err)
	}
	m.begun = true
	return nil
}

// end unmounts and sees the servers off. The programs that a run left behind
// go first: they would keep the mount busy.
func (m *mount) end() error {
	kill(without(descendants(), m.servers))
	var err error
	if m.begun {
		err = m.unmount()
	}
	return errors.Join(err, m.awaitServers())
}

func (m *mount) unmount() error {
	err := unix.Unmount(m.mounted, 0)
	for tries := 0; err == unix.EBUSY && tries < 50; tries++ {
		time.Sleep(20 * time.Millisecond) // a process that was killed leaves in its own time
		err = unix.Unmount(m.mounted, 0)
	}
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("umount: %w", err), unix.Unmount(m.mounted, unix.MNT_DETACH))
}

// awaitServers lets servers end by themselves, as their mount is gone.
func (m *mount) awaitServers() error {
	if gone(m.servers, 10*time.Second) {
		return nil
	}
	kill(descendants())
	return fmt.Errorf("the server was still there 10 s after umount, and was killed")
}

func (m *mount) cpu() (seconds float64) {
	for _, pid := range m.servers {
		seconds += cpuSeconds(pid)
	}
	return seconds
}

func (m *mount) memory() (bytes int64) {
	for _, pid := range m.servers {
		bytes += residentBytes(pid)
	}
	return bytes
}
