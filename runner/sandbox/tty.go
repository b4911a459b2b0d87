package sandbox

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// consoleSteps make the program's terminal in the sandbox's own devpts, so that
// it has a name there and is no terminal of the host.
func consoleSteps(p *Process, joined bool) []Step {
	if !p.TTY {
		return nil
	}
	text := "a pseudo terminal, bound on /dev/console"
	if joined {
		text = "a pseudo terminal"
	}
	return []Step{within("terminal", text, func(in *inside) error { return in.makeTerminal(!joined) })}
}

func (in *inside) makeTerminal(console bool) error {
	master, err := in.openMaster()
	if err != nil {
		return fmt.Errorf("a terminal can't be made: %w", err)
	}
	defer unix.Close(master)
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return fmt.Errorf("the terminal can't be unlocked: %w", err)
	}
	// By descriptor, since its path is the sandbox's to change (ioctl_tty(2)).
	slave, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return fmt.Errorf("the terminal can't be opened: %w", errno)
	}
	in.stdio = [3]*os.File{os.NewFile(slave, "terminal")}
	in.stdio[1], in.stdio[2] = in.stdio[0], in.stdio[0]
	if err := unix.Fchown(int(slave), int(in.process.UID), -1); err != nil && err != unix.EINVAL && err != unix.EPERM {
		return fmt.Errorf("the terminal's owner: %w", err)
	}
	if console {
		if err := in.bindConsole(int(slave)); err != nil {
			return err
		}
	}
	return sendJSON(in.sock, note{Console: true}, master)
}

// openMaster opens the multiplexer of the devpts at /dev/pts, having looked
// that it is one: the tree is the sandbox's.
func (in *inside) openMaster() (int, error) {
	fd, err := resolve(in.root, "/dev/pts/ptmx")
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &fs)); err != nil {
		return -1, err
	}
	if fs.Type != unix.DEVPTS_SUPER_MAGIC || st.Rdev != unix.Mkdev(5, 2) {
		return -1, errors.New("/dev/pts of the sandbox is no devpts (does the spec mount one?)")
	}
	dir, err := resolve(in.root, "/dev/pts")
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	how := unix.OpenHow{Flags: unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	master, err := unix.Openat2(dir, "ptmx", &how)
	if err == unix.ENOSYS {
		master, err = unix.Openat(dir, "ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	}
	if err != nil {
		return -1, err
	}
	if err := unix.Fstatfs(master, &fs); err != nil || fs.Type != unix.DEVPTS_SUPER_MAGIC {
		unix.Close(master)
		return -1, errors.New("/dev/pts of the sandbox has changed")
	}
	return master, nil
}

// bindConsole puts the terminal on /dev/console.
func (in *inside) bindConsole(slave int) error {
	target, err := resolveNew(in.root, "/dev/console", makeFile)
	if err != nil {
		return err
	}
	defer unix.Close(target)
	tree, err := unix.OpenTree(slave, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("/dev/console: %w", err)
	}
	defer unix.Close(tree)
	return pathError(attach(tree, target, &mountOptions{}), "/dev/console")
}

// terminalSteps give the program a session of its own always: without one it
// could put words into the caller's terminal (TIOCSTI, CVE-2017-5226).
func terminalSteps(p *Process) []Step {
	text := "a session of its own"
	if p.TTY {
		text += ", with the terminal as its controlling one"
	}
	return []Step{program("session", text, func(in *inside) ([]call, error) {
		// EPERM says that the process leads one already.
		calls := []call{newCall("begin a session", unix.SYS_SETSID).optional()}
		if p.TTY {
			calls = append(calls, newCall("take the terminal", unix.SYS_IOCTL, in.stdio[0].Fd(), unix.TIOCSCTTY, 0))
		}
		return calls, nil
	})}
}
