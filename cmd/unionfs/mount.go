package main

import (
	"strings"
)

// runMount does a mount command line from its words to the exit status.
func runMount(f form) int {
	r, err := newRequest(f)
	if err != nil {
		return fail(err)
	}
	switch {
	case r.help:
		return printMountHelp(f)
	case r.version:
		return printVersion(f)
	}
	back := findStarter(r)
	if back == nil && !r.foreground && !r.fake && !r.remount {
		status, err := startServer(r.config.FD, r.config.Target)
		if err != nil {
			return fail(err)
		}
		return status
	}
	// Advice is given once, by the process that does the work.
	r.tellAdvice()
	switch {
	case r.fake:
		return exitOK
	case r.remount:
		return fail(remount(r.config.Target, r.config.Options))
	}
	return fail(serve(r, back))
}

// tellAdvice prints what was read and has no effect.
func (s *settings) tellAdvice() {
	if len(s.unknown) > 0 {
		warn("unknown options are ignored: " + strings.Join(s.unknown, ", "))
	}
	for _, line := range s.advice {
		warn(line)
	}
}
