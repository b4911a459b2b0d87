// Package transport carries FUSE requests between the kernel and a FileSystem:
// it mounts, reads requests from /dev/fuse, decodes them into the structures
// of go-fuse's wire types, calls the FileSystem and writes the replies.
//
// # Nouns
//
// A Device is an open FUSE connection. A Server serves one Device. A reader is
// a goroutine that reads requests and answers them itself; a hot reader is one
// that waits in read(2), a spare one is parked. The watchdog wakes a spare when
// the hot reader's handler takes long.
//
// # Laws
//
//   - A request is answered by the reader that read it, with one write(2).
//   - As long as any request can be read, somebody reads: slow handlers stall
//     nobody but their callers.
//   - A malformed request is answered with an errno; a handler's panic with
//     EIO. Neither ends the server.
//   - In steady state a request allocates nothing.
//
// Server.mu guards the list of spare readers and is a leaf.
package transport
