package transport

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// mountByHelper lets the setuid fusermount3 mount for an ordinary user. It
// sends the descriptor back over a socket whose number is in _FUSE_COMMFD.
func mountByHelper(path string, o MountOptions) (*Device, error) {
	helper, err := helperPath()
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[0])
	theirs := os.NewFile(uintptr(pair[1]), "fusermount")
	cmd := exec.Command(helper, "-o", o.helperString(), "--", path)
	cmd.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	cmd.ExtraFiles = []*os.File{theirs}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	theirs.Close()
	if err != nil {
		// The helper opens the device as the user who called it.
		dev, cause := openDevice()
		if cause != nil {
			return nil, cause
		}
		dev.Close()
		return nil, helperError(path, helper, stderr.String(), err)
	}
	fd, err := receiveFD(pair[0])
	if err != nil {
		return nil, fmt.Errorf("%s sent no descriptor: %w", helper, err)
	}
	return newDevice(fd), nil
}

func helperPath() (string, error) {
	for _, name := range [...]string{"fusermount3", "fusermount"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("mounting as an ordinary user needs fusermount3, which isn't installed: apt install fuse3 (or run as root, or in a user namespace)")
}

// helperFlags are what every fusermount3 knows (find_mount_flag) and an ordinary
// user may say. Another word goes to the kernel, which refuses it, and "suid"
// and "dev" would only earn a warning.
var helperFlags = map[string]bool{
	"ro": true, "rw": true, "nosuid": true, "nodev": true, "exec": true, "noexec": true,
	"atime": true, "noatime": true, "sync": true, "async": true, "dirsync": true,
}

// helperString is the -o argument. A comma in a value would begin an option.
func (o MountOptions) helperString() string {
	p := o.parse()
	options := []string{"fsname=" + escapeOption(o.source()), "subtype=" + escapeOption(o.subtype()), "default_permissions"}
	for _, name := range p.names {
		if helperFlags[name] {
			options = append(options, name)
		}
	}
	if p.allowOther {
		options = append(options, "allow_other")
	}
	for _, option := range p.data {
		if strings.HasPrefix(option, "max_read=") {
			options = append(options, option)
		}
	}
	return strings.Join(options, ",")
}

var optionEscaper = strings.NewReplacer(`\`, `\\`, `,`, `\,`)

func escapeOption(value string) string { return optionEscaper.Replace(value) }

func helperError(path, helper, stderr string, err error) error {
	said := strings.TrimSpace(stderr)
	if strings.Contains(said, "allow_other") || strings.Contains(said, "allow_root") {
		return errors.New("allow_other is for root, unless /etc/fuse.conf has the line user_allow_other")
	}
	if said == "" {
		said = err.Error()
	}
	return fmt.Errorf("%s: %s", path, strings.ReplaceAll(said, "\n", "; "))
}

func receiveFD(socket int) (int, error) {
	var byte1 [1]byte
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, byte1[:], oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) == 0 {
		return -1, errors.New("no control message")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1, errors.New("no descriptor in the control message")
	}
	return fds[0], nil
}
