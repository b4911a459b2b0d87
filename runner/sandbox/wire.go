package sandbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The two sides talk over a pair of SOCK_SEQPACKET sockets; a message is one
// packet of JSON, with descriptors.
//
//	outside → inside   "g"         maps and cgroup are there: begin
//	outside → inside   orders      the descriptor of the spec, and all others
//	inside → outside   note{Console}, with the terminal's master
//	inside → outside   note{Ready} all is made but the program is not started
//	outside → inside   "g"         start it
//	inside → outside   end of file: the program runs
//
// Instead of any of its messages the inside may send note{Error}, or a failure
// (fork.go).

// orders are what the inside is told beside the spec. Numbers are places among
// the descriptors that came along, -1 for none.
type orders struct {
	Spec   int         `json:"spec"`
	Root   int         `json:"root"`
	Stdio  [3]int      `json:"stdio"`
	Mounts map[int]int `json:"mounts,omitempty"`
	IDMaps map[int]int `json:"idMaps,omitempty"`
	// FailStep is the step that fails, for tests; -1 for none.
	FailStep int `json:"failStep"`
}

type note struct {
	Console bool      `json:"console,omitempty"`
	Ready   bool      `json:"ready,omitempty"`
	Error   *sentence `json:"error,omitempty"`
	// Calls names the calls of the script that comes after Ready, for a
	// failure in it.
	Calls []callName `json:"calls,omitempty"`
}

type callName struct {
	Step string `json:"step"`
	Name string `json:"name"`
	Exec bool   `json:"exec,omitempty"`
}

// goWord is what the outside says.
const goWord = "g"

// sentence is an error that crosses a process' border.
type sentence struct {
	Step  string     `json:"step"`
	Code  int        `json:"code"`
	Text  string     `json:"text"`
	Errno unix.Errno `json:"errno,omitempty"`
}

func (s *sentence) err() *StartError {
	return &StartError{Code: s.Code, Step: s.Step, Err: &remoteError{text: s.Text, errno: s.Errno}}
}

// remoteError reads as it did in the sandbox, and is its errno to errors.Is.
type remoteError struct {
	text  string
	errno unix.Errno
}

func (e *remoteError) Error() string { return e.text }

func (e *remoteError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}

func newSentence(step string, code int, err error) *sentence {
	s := &sentence{Step: step, Code: code, Text: err.Error()}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		s.Errno = errno
	}
	return s
}

// socketPair is both ends of a conversation.
func socketPair() (outside, inside int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	return fds[0], fds[1], err
}

func send(sock int, body []byte, fds ...int) error {
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	for {
		err := unix.Sendmsg(sock, body, rights, nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

func sendJSON(sock int, v any, fds ...int) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return send(sock, body, fds...)
}

// maxFDs is SCM_MAX_FD (net/scm.h).
const maxFDs = 253

// receive takes one packet; io.EOF says that the other side is gone, or (from
// the inside) that it has become the program.
func receive(sock int) (body []byte, fds []int, err error) {
	buf := make([]byte, 64<<10)
	oob := make([]byte, unix.CmsgSpace(maxFDs*4))
	for {
		n, oobn, flags, _, err := unix.Recvmsg(sock, buf, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.ECONNRESET:
			// The other side closed with something of ours unread.
			return nil, nil, io.EOF
		case err != nil:
			return nil, nil, err
		case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			return nil, nil, errors.New("a message that is too long")
		}
		fds, err = rights(oob[:oobn])
		if err != nil {
			return nil, nil, err
		}
		if n == 0 && len(fds) == 0 {
			return nil, nil, io.EOF
		}
		return buf[:n], fds, nil
	}
}

func rights(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// parseFailure reads what a script wrote.
func parseFailure(body []byte, tag uint32) (f failure, ok bool) {
	if len(body) != int(unsafe.Sizeof(f)) {
		return f, false
	}
	f.tag = binary.NativeEndian.Uint32(body)
	f.index = binary.NativeEndian.Uint32(body[4:])
	f.errno = binary.NativeEndian.Uint32(body[8:])
	return f, f.tag == tag
}

// parcel collects descriptors that go along with a message.
type parcel struct{ fds []int }

func (p *parcel) add(f *os.File) int {
	if f == nil {
		return -1
	}
	p.fds = append(p.fds, int(f.Fd()))
	return len(p.fds) - 1
}

// unpack answers the file at a place, nil for -1.
func unpack(fds []int, place int, name string) (*os.File, error) {
	switch {
	case place == -1:
		return nil, nil
	case place < 0 || place >= len(fds):
		return nil, fmt.Errorf("there is no descriptor %d", place)
	}
	return os.NewFile(uintptr(fds[place]), name), nil
}
