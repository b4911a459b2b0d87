package runner

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// consoleSocket is where a runtime sends the master of a terminal that it has
// made (runc's docs/terminals.md, "Detached").
type consoleSocket struct {
	path     string
	listener *net.UnixListener
}

// consolePatience is for a runtime that has made its container and sent nothing.
const consolePatience = 5 * time.Second

func listenConsole(dir string) (*consoleSocket, error) {
	path := filepath.Join(dir, "tty.sock")
	_ = os.Remove(path) // a killed monitor's
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	return &consoleSocket{path, l}, nil
}

func (s *consoleSocket) close() { s.listener.Close() }

// accept takes the terminal.
func (s *consoleSocket) accept() (*os.File, error) {
	if err := s.listener.SetDeadline(time.Now().Add(consolePatience)); err != nil {
		return nil, err
	}
	conn, err := s.listener.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("the runtime sent no terminal: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(consolePatience)); err != nil {
		return nil, err
	}
	name, control := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(name, control)
	if err != nil {
		return nil, fmt.Errorf("the runtime sent no terminal: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("the runtime sent no terminal (%d messages): %w", len(messages), errors.Join(err, unix.EPROTO))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("the runtime sent %d descriptors for a terminal: %w", len(fds), errors.Join(err, unix.EPROTO))
	}
	unix.CloseOnExec(fds[0])
	// So that a read of it ends when it is closed.
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}

func resizeTerminal(console *os.File, rows, cols uint16) error {
	if console == nil {
		return errors.New("the program has no terminal")
	}
	raw, err := console.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	return errors.Join(err, set)
}
