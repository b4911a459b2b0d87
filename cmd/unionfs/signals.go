package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"unionfs/fs/transport"
)

// answer does what signals ask for: SIGUSR1 prints the counters, all others
// mean the end. The first asks for a clean unmount; when the mount is busy, a
// second detaches it, and we serve on until its last user is gone.
func answer(signals <-chan os.Signal, srv server, target string) {
	asked := false
	for sig := range signals {
		switch {
		case sig == unix.SIGUSR1:
			fmt.Fprintln(stderr, srv.Stats())
		case asked:
			if err := transport.UnmountLazy(target); err != nil {
				say("%v", err)
			}
		default:
			asked = true
			if err := srv.Unmount(); err != nil {
				say("%v; send the signal again to detach the mount from the tree", err)
			}
		}
	}
}
