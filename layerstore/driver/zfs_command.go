package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// zfsCommand is the zfs(8) program. Arguments reach it as they are, by no shell.
// It inherits the lock under which it is run: when we are killed it may still be
// at work, and until its end nobody must take it that it isn't.
type zfsCommand struct{ under []*os.File }

func (z zfsCommand) run(ctx context.Context, args ...string) (string, error) {
	if len(z.under) > 0 {
		// One at a time: zfs-fuse has stopped to answer anybody when several
		// were at work.
		alone, err := takeLock(ctx, filepath.Join(filepath.Dir(z.under[0].Name()), "command.lock"), unix.LOCK_EX)
		if err != nil {
			return "", err
		}
		defer alone.release()
	}
	cmd := exec.CommandContext(ctx, "zfs", args...)
	cmd.ExtraFiles = z.under
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("the command zfs is not installed (Debian's zfsutils-linux or zfs-fuse)")
	case err != nil:
		return "", fmt.Errorf("zfs %s: %s", strings.Join(args, " "), firstLine(errOut.String(), err))
	}
	return out.String(), nil
}

func firstLine(text string, err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line == "" {
		return err.Error()
	}
	return line
}

func (z zfsCommand) do(ctx context.Context, args ...string) error {
	_, err := z.run(ctx, args...)
	return err
}

// destroy removes a dataset and its snapshots.
func (z zfsCommand) destroy(ctx context.Context, name string) error {
	return z.patiently(ctx, "destroy", "-r", name)
}

// patiently waits for the end of a mount that is busy with its own end:
// zfs-fuse's unmounts come back before they are done.
func (z zfsCommand) patiently(ctx context.Context, args ...string) error {
	for deadline := time.Now().Add(patience); ; {
		err := z.do(ctx, args...)
		if err == nil || !strings.Contains(err.Error(), "busy") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (z zfsCommand) exists(ctx context.Context, name string) bool {
	return z.do(ctx, "list", "-H", "-o", "name", "-t", "all", name) == nil
}

// list answers columns of all file systems.
func (z zfsCommand) list(ctx context.Context, columns string) ([][]string, error) {
	text, err := z.run(ctx, "list", "-H", "-o", columns, "-t", "filesystem")
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for line := range strings.Lines(text) {
		row := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(row) == strings.Count(columns, ",")+1 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}
