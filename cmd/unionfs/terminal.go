package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"unionfs/runner"
)

// runInTerminal runs a container with a terminal: its monitor is a process of
// its own, so that the terminal can be detached from it.
func runInTerminal(ctx context.Context, f *storeFlags, h *house, c *runner.Container, keys string) error {
	sequence, err := parseKeys(keys)
	if err != nil {
		return err
	}
	if err := startMonitor(f, h, c, true); err != nil {
		return runnerError(err)
	}
	client, err := h.Attach(ctx, c, c.Spec.Interactive, true)
	if err != nil {
		// It may have ended already: a program that needs no terminal.
		if st, werr := h.Wait(ctx, c); werr == nil {
			return ended(st.ExitCode)
		}
		return runnerError(err)
	}
	return converse(client, c.Spec.TTY, c.Spec.Interactive, sequence)
}

// converse connects this process's streams with a program until it ends.
func converse(client *runner.Client, tty, stdin bool, keys []byte) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	defer signal.Stop(signals)
	if tty && term.IsTerminal(int(os.Stdin.Fd())) {
		old, err := term.MakeRaw(int(os.Stdin.Fd()))
		if err == nil {
			defer func() { _ = term.Restore(int(os.Stdin.Fd()), old) }()
		}
	}
	tellSize := func() {
		if cols, rows, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			_ = client.Resize(uint16(rows), uint16(cols)) // it may have ended
		}
	}
	if tty {
		tellSize()
	}
	go func() {
		for s := range signals {
			switch s {
			case unix.SIGWINCH:
				tellSize()
			case unix.SIGCHLD, unix.SIGPIPE, unix.SIGURG:
			default:
				_ = client.Signal(int(s.(unix.Signal))) // it may have ended
			}
		}
	}()
	if stdin {
		go feed(client, os.Stdin, tty, keys)
	}
	code, err := client.Wait(os.Stdout, os.Stderr)
	var failed *runner.ExecError
	switch {
	case errors.As(err, &failed):
		say("%v", failed)
		return exitWith{code}
	case errors.Is(err, runner.ErrDetached):
		return nil
	case errors.Is(err, unix.EPIPE): // who read it has seen enough
		return exitWith{128 + int(unix.SIGPIPE)}
	case err != nil:
		return err
	}
	return ended(code)
}

// feed gives a program its input until that ends, or the keys that detach come.
func feed(client *runner.Client, in io.Reader, tty bool, keys []byte) {
	d := detacher{keys: keys}
	buf := make([]byte, 32<<10)
	for {
		n, err := in.Read(buf)
		text := buf[:n]
		if tty {
			var detach bool
			if text, detach = d.pass(text); detach {
				_ = client.Detach() // it may have ended
				return
			}
		}
		if len(text) > 0 {
			if _, werr := client.Write(text); werr != nil {
				return
			}
		}
		if err != nil {
			_ = client.CloseWrite() // it may have ended
			return
		}
	}
}

// detacher looks for the keys in what is typed. What may be their beginning is
// held back.
type detacher struct {
	keys []byte
	held int // of keys
}

func (d *detacher) pass(text []byte) (out []byte, detach bool) {
	if len(d.keys) == 0 {
		return text, false
	}
	for _, b := range text {
		if b == d.keys[d.held] {
			if d.held++; d.held == len(d.keys) {
				return out, true
			}
			continue
		}
		out = append(out, d.keys[:d.held]...)
		if d.held = 0; b == d.keys[0] {
			d.held = 1
			continue
		}
		out = append(out, b)
	}
	return out, false
}

// parseKeys reads keys as docker has them: a letter, or ctrl- and one of
// a-z @ [ \ ] ^ _, separated by commas.
func parseKeys(word string) ([]byte, error) {
	var out []byte
	if word == "" {
		return nil, nil
	}
	for key := range strings.SplitSeq(word, ",") {
		ctrl, ok := strings.CutPrefix(key, "ctrl-")
		switch {
		case !ok && len(key) == 1:
			out = append(out, key[0])
		case ok && len(ctrl) == 1 && (ctrl[0] >= 'a' && ctrl[0] <= 'z' || strings.ContainsAny(ctrl, `@[\]^_`)):
			out = append(out, strings.ToUpper(ctrl)[0]&0x1f)
		default:
			return nil, usageError{fmt.Sprintf("--detach-keys=%s: %q is no key: a letter or ctrl- and a letter is expected", word, key)}
		}
	}
	return out, nil
}
