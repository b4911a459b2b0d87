package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit statuses. Callers tell a wrong command line from a mount that failed.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a mistake in the command line itself.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

// statusOf is the exit status that belongs to err.
func statusOf(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	}
	return exitFailed
}

// stderr is where people read; tests put a buffer here.
var stderr io.Writer = os.Stderr

// say prints one line for people. Callers of mount programs show our stderr
// as it is, so that the line carries our name.
func say(format string, args ...any) {
	line := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	fmt.Fprintf(stderr, "unionfs: %s\n", strings.ReplaceAll(line, "\n", " "))
}

func warn(line string) { say("warning: %s", line) }

// fail prints err, when there is one, and answers the exit status.
func fail(err error) int {
	if err != nil {
		say("%v", err)
	}
	return statusOf(err)
}
