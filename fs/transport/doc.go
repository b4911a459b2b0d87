// Package transport carries FUSE requests between the kernel and a FileSystem:
// it mounts, reads requests from /dev/fuse, decodes them into the structures
// of go-fuse's wire types, calls the FileSystem and writes the replies.
//
// # Nouns
//
// A Device is an open FUSE connection. A Server serves one Device. A reader is
// a goroutine, locked to its thread, that reads requests and answers them
// itself. It is hot while it does so, stuck while its handler takes long, and
// spare while it is parked. It lingers when it asks for the next
// request without going to sleep. The watchdog sees that enough readers are hot. A
// call is one request being answered. Where the kernel brings requests over
// io_uring, each processor has a queue, with readers of its own; the device then
// carries what has no reply.
//
// # Laws
//
//   - A request is answered by the reader that read it, with one write(2), or, over
//     io_uring, with the io_uring_enter(2) that waits for the next.
//   - One hot reader is the rule: the kernel wakes waiting readers in turn
//     (fuse_dev_do_read waits exclusively), so that with two of them each
//     request wakes a thread whose caches are cold, and costs half as much
//     again.
//   - One reader at most lingers, for microseconds, and only as often as it pays:
//     what other programs need the processor for comes first.
//   - Slow handlers stall nobody but their callers: a stuck reader is replaced.
//     That holds up to maxReaders handlers under way at once. Queues have readers
//     in reserve instead, since what comes while none waits isn't given to new ones.
//   - An idle mount costs nothing: without requests nothing wakes up.
//   - A malformed request is answered with an errno; a handler's panic with
//     EIO. Neither ends the server.
//   - In steady state LOOKUP, GETATTR, READDIRPLUS, FORGET, READ and WRITE
//     allocate nothing.
//   - The server never walks into its own mount, and starts no process once it
//     is up.
//
// pool.mu guards the readers' accounting, and queues.mu, which is taken under it,
// that of the queues' readers. The hot path takes no lock.
package transport
