package runner

import (
	"io"

	"golang.org/x/sys/unix"
)

// bareFile reads and writes by bare calls: the os package asks epoll about its
// files, with a processor held that the server of this mount, which is this
// process, needs to answer.
type bareFile int

func (f bareFile) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(f), p)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (f bareFile) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Write(int(f), p[done:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}
