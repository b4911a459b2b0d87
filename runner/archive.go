package runner

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"unionfs/runner/sandbox"
)

// Files go into a container and out of it as archives: the monitor of one that
// runs reads and writes below its root, where no symlink leads out; one that
// doesn't run is mounted for that long.

// Entry names are relative to the path that was asked for; the path itself is
// ".".

// PathInfo is what a path in a container is, symlinks followed.
type PathInfo struct {
	Exists bool   `json:"exists"`
	Dir    bool   `json:"dir"`
	Path   string `json:"path"` // without symlinks
}

// getClient writes what is at a path of the container.
func (m *monitor) getClient(f *framed, q *request) (answer, error) {
	return answer{}, m.inOwnRoot(func(root int) error { return packBelow(root, m.ids, q.Path, q.Follow, output{f, frameOut}) })
}

// putClient unpacks into a directory of the container.
func (m *monitor) putClient(f *framed, q *request) (answer, error) {
	r, w := io.Pipe()
	go func() {
		for {
			kind, payload, err := f.receive()
			switch {
			case err != nil:
				w.CloseWithError(io.ErrUnexpectedEOF)
				return
			case kind == frameEOF:
				w.Close()
				return
			case kind == frameInput:
				if _, err := w.Write(payload); err != nil {
					return // what is wrong has been said by the reader
				}
			}
		}
	}()
	err := m.inOwnRoot(func(root int) error { return unpackBelow(root, m.ids, q.Path, r) })
	r.CloseWithError(io.ErrClosedPipe)
	return answer{}, err
}

func (m *monitor) statClient(_ *framed, q *request) (answer, error) {
	var st PathInfo
	err := m.inOwnRoot(func(root int) error {
		st = statBelow(root, q.Path)
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	return valueOf(st)
}

func statBelow(root int, name string) PathInfo {
	info := PathInfo{Path: resolveBelow(root, name)}
	fd, err := openBelow(root, name, unix.O_PATH, 0)
	if err != nil {
		return info
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	info.Exists, info.Dir = err == nil, st.Mode&unix.S_IFMT == unix.S_IFDIR
	return info
}

// openBelow opens a path beneath a root, which symlinks count from and don't
// leave.
func openBelow(root int, name string, flags int, mode uint64) (int, error) {
	rel := strings.TrimPrefix(path.Clean("/"+name), "/")
	if rel == "" {
		rel = "."
	}
	for {
		fd, err := unix.Openat2(root, rel, &unix.OpenHow{
			Flags: uint64(flags | unix.O_CLOEXEC), Mode: mode, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

// Get writes an archive of a path of a container. follow is for what a symlink leads to
// in its place.
func (r *Runner) Get(ctx context.Context, c *Container, name string, follow bool, w io.Writer) error {
	return r.withRoot(ctx, c, request{Op: "get", Path: name, Follow: follow},
		func(f *framed) error { return drainInto(f, w) },
		func(root int, ids sandbox.IDMaps) error { return packBelow(root, ids, name, follow, w) })
}

// Put unpacks an archive into a directory of a container.
func (r *Runner) Put(ctx context.Context, c *Container, dir string, in io.Reader) error {
	return r.withRoot(ctx, c, request{Op: "put", Path: dir},
		func(f *framed) error {
			failed := make(chan error, 1)
			go func() {
				from := &reading{r: in}
				_, err := io.Copy(output{f, frameInput}, from)
				switch {
				case err == nil:
					_ = f.send(frameEOF, nil) // who is gone has said why
				case from.err != nil:
					failed <- from.err
					_ = f.Close() // half an archive is none
				}
			}()
			err := drainInto(f, io.Discard)
			select {
			case err = <-failed:
			default:
			}
			return err
		},
		func(root int, ids sandbox.IDMaps) error { return unpackBelow(root, ids, dir, in) })
}

// Stat tells what a path of a container is.
func (r *Runner) Stat(ctx context.Context, c *Container, name string) (s PathInfo, err error) {
	err = r.withRoot(ctx, c, request{Op: "stat", Path: name},
		func(f *framed) error { return answerOf(f, &s) },
		func(root int, _ sandbox.IDMaps) error {
			s = statBelow(root, name)
			return nil
		})
	return s, err
}

// reading tells a failure to read from one to write what was read.
type reading struct {
	r   io.Reader
	err error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

// withRoot has a running container's monitor do something, or does it in the
// root of one that doesn't run.
func (r *Runner) withRoot(ctx context.Context, c *Container, q request, ask func(f *framed) error, do func(root int, ids sandbox.IDMaps) error) error {
	lock, err := lockStill(ctx, &c.Snapshot)
	if errors.Is(err, errMonitored) {
		f, err := r.dial(ctx, c, q)
		if err != nil {
			return err
		}
		defer f.Close()
		return ask(f)
	}
	if err != nil {
		return err
	}
	defer lock.release()
	return r.inRoot(ctx, c, q.Path, do)
}

func drainInto(f *framed, w io.Writer) error {
	for {
		kind, payload, err := f.receive()
		if err != nil {
			return errors.New("the container ended meanwhile")
		}
		switch kind {
		case frameOut:
			if _, err := w.Write(payload); err != nil {
				return err
			}
		case frameEnd:
			var a answer
			if err := json.Unmarshal(payload, &a); err != nil {
				return err
			}
			if a.Error != "" {
				return errors.New(a.Error)
			}
			return nil
		}
	}
}

func answerOf(f *framed, v any) error {
	kind, payload, err := f.receive()
	if err != nil || kind != frameEnd {
		return errors.New("the container ended meanwhile")
	}
	var a answer
	if err := json.Unmarshal(payload, &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(a.Error)
	}
	return json.Unmarshal(a.Value, v)
}
