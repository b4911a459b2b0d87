// Package sandbox runs programs in namespaces: it makes a root file system, a
// terminal, limits and rights for them, and takes all of it away again. It
// knows no images and no volumes, and imports nothing of ours.
//
// Nouns: a Spec is all that a sandbox is told; a plan is the ordered list of
// steps that make it, which can be printed (Plan) and is exactly what is done.
// The outside is the caller. The inside is our own program once more, begun in
// the new namespaces, which ends by becoming the program. A call is one system
// call of a script, which is what can be done where Go can't run: between
// fork and exec. A range is a run of host ids that root has given to an
// ordinary user (subuid(5), subgid(5)). Entering a user namespace gives the
// caller's own id the number 0 there, and the ranges the numbers from 1 on.
//
// The life of a sandbox: the outside forks (fork.go) a process that waits; it
// writes the id maps, moves the process into its control group, and lets it go
// on. That process enters and makes what namespaces are left, and executes our
// own program from a place that nobody can write. The inside gets the spec and
// descriptors over a socket (wire.go), does its steps, says that it is ready
// (Create ends), waits for the word (Release), and makes the script of calls
// whose last one is execve. The socket closes with it, and by that the outside
// knows that the program runs. With an init the script is made by a child, and
// the inside stays to reap.
//
// A Spec can also be told to other runtimes, as the config.json of an OCI bundle
// (oci.go); that is all that we know of them.
//
// Laws:
//   - Nobody gets an id that root hasn't granted; the maps are written by
//     newuidmap(1) and newgidmap(1), which check, or are the caller's own.
//   - No path of the sandbox is trusted twice: what a path means is found
//     beneath the root (resolve.go), and used by its descriptor. After the
//     root has become "/", and in Exec, no file of the sandbox decides what is
//     done; /proc may be forged.
//   - A mount has all its flags before anybody can see it.
//   - The program has the descriptors 0, 1 and 2, a session of its own, no key,
//     group or capability that it wasn't given, and no way to our program's
//     file (CVE-2019-5736) or to a directory of the host (CVE-2024-21626).
//   - A failure at any step leaves nothing: no mount, process, control group or
//     directory. All mounts live in the sandbox's namespace and die with it.
//   - The death of the caller is the death of the sandbox, as long as process 1
//     hasn't executed a program that changes its ids, which ends the kernel's
//     promise (prctl(2), PR_SET_PDEATHSIG); with an init it always holds.
//
// Locks: a Sandbox has one, for the number of its process; nothing is called
// with it held but the kernel. Each process of ours has a thread of the caller
// that forked it and waits for it.
//
// It needs Linux 5.12 (mount_setattr(2)), and no C library.
package sandbox
