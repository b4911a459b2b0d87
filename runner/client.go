package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Client is somebody who is attached to a program in a container that another
// process serves.
type Client struct{ f *framed }

// Attach reaches the streams of a running container. With owner the container
// is killed when the client goes without Detach.
func (r *Runner) Attach(ctx context.Context, c *Container, stdin, owner bool) (*Client, error) {
	f, err := r.dial(ctx, c, request{Op: "attach", Stdin: stdin, Owner: owner})
	return &Client{f}, err
}

// Exec starts a further program in a running container.
func (r *Runner) Exec(ctx context.Context, c *Container, e ExecSpec) (*Client, error) {
	if c.State.Status == Running && c.State.Paused {
		return nil, fmt.Errorf("container %s is paused: unpause it first", c.nameOrID())
	}
	f, err := r.dial(ctx, c, request{Op: "exec", Exec: &e})
	return &Client{f}, err
}

// Write gives bytes to the program's standard input.
func (c *Client) Write(p []byte) (int, error) { return len(p), c.f.send(frameInput, p) }

// CloseWrite is the end of the input.
func (c *Client) CloseWrite() error { return c.f.send(frameEOF, nil) }

// Resize tells the program's terminal its size.
func (c *Client) Resize(rows, cols uint16) error {
	return c.f.send(frameResize, sizePayload(rows, cols))
}

// Signal reaches the program.
func (c *Client) Signal(sig int) error { return c.f.send(frameSignal, []byte{byte(sig)}) }

// Detach goes and leaves the program running.
func (c *Client) Detach() error {
	defer c.f.Close()
	return c.f.send(frameDetach, nil)
}

// ErrDetached says that the client went by itself, or was cut off.
var ErrDetached = errors.New("detached")

// Wait writes what the program prints, and answers its exit code.
func (c *Client) Wait(out, errOut io.Writer) (code int, err error) {
	defer c.f.Close()
	for {
		kind, payload, err := c.f.receive()
		if err != nil {
			return 0, ErrDetached
		}
		switch kind {
		case frameOut:
			_, err = out.Write(payload)
		case frameErr:
			_, err = errOut.Write(payload)
		case frameEnd:
			var a answer
			if err := json.Unmarshal(payload, &a); err != nil {
				return 0, err
			}
			if a.Error != "" {
				return a.Code, &ExecError{a.Code, a.Error}
			}
			return a.Code, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// ExecError says that a program never ran; Code is docker's 125, 126 or 127.
type ExecError struct {
	Code int
	Why  string
}

func (e *ExecError) Error() string { return e.Why }
