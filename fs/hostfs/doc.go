// Package hostfs makes system calls below a directory handle.
//
// Nouns: a dirfd is a descriptor of a directory (O_PATH is enough where
// nothing is read from it); a name is one component, or a relative path,
// below it. The name "" is the object that the descriptor itself stands for,
// which may be anything, also a symlink or a device opened with O_PATH.
//
// Laws:
//
//  1. No symlink in the last component is ever followed. A layer's absolute
//     symlink may lead back into our own mount, where the server would wait
//     for itself.
//  2. Errors are bare unix.Errno values, nil when all is well.
//  3. EINTR is retried; descriptors are close-on-exec.
//  4. Calls that only pass names and integers allocate nothing: names of up
//     to 255 bytes are copied to the stack, and errno values below 256 are
//     boxed by the runtime without an allocation.
//  5. No call opens a fifo, socket or device unless the caller's Open says so.
//  6. A system call that the kernel, or a seccomp filter, lacks is asked for
//     once and remembered; what replaces it keeps laws 1 to 3.
package hostfs
