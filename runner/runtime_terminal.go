package runner

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// terminalPair is a pseudo terminal of ours. A runtime that stays with a further
// program has that program's own terminal, and copies between it and the one it
// was started in (runc's docs/terminals.md, "New Terminal"); it sends a master
// elsewhere only when it goes away, and the exit status with it.
type terminalPair struct{ master, slave *os.File }

func openTerminal() (*terminalPair, error) {
	// Non-blocking, so that a read of it ends when it is closed.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a terminal can't be made: /dev/ptmx: %w", err)
	}
	master := os.NewFile(uintptr(fd), "terminal")
	err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	if err == nil {
		slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno == 0 {
			return &terminalPair{master, os.NewFile(slave, "terminal")}, nil
		}
		err = errno
	}
	return nil, errors.Join(fmt.Errorf("a terminal can't be made: %w", err), master.Close())
}

// giveTo makes it the controlling one of a runtime's process, which the kernel
// then tells of each new size.
func (t *terminalPair) giveTo(e *runtimeExec) {
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = t.slave, t.slave, t.slave
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
}

// streamsOf connects the runtime's process with a terminal, or with streams.
func (e *runtimeExec) streamsOf(p *sandbox.Process, io sandbox.Stdio) (started func(), err error) {
	if !p.TTY {
		e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = io.In, io.Out, io.Err
		return func() {}, nil
	}
	t, err := openTerminal()
	if err != nil {
		return nil, err
	}
	t.giveTo(e)
	e.console = t.master
	return func() { t.slave.Close() }, nil
}

// ptsMajor is the first of the majors that pseudo terminals have
// (Documentation/admin-guide/devices.txt), 136 to 143.
const ptsMajor = 136

// resizeInside tells the program's own terminal, since crun hands no size on.
// What the program has as its input is the program's choice: only a pseudo
// terminal is opened.
func (e *runtimeExec) resizeInside(rows, cols uint16) error {
	pid, err := readPID(e.pidFile())
	if err != nil {
		return err
	}
	path, err := unix.Open(fmt.Sprintf("/proc/%d/fd/0", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(path)
	var st unix.Stat_t
	if err := unix.Fstat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || unix.Major(st.Rdev)&^7 != ptsMajor {
		return errors.New("the program reads no terminal")
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", path), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
}
