// Package driver gives snapshots of a store a place to be, and mounts them.
//
// # Nouns
//
// A driver keeps the writable snapshots of a store in its own way: union (this
// program's FUSE file system) and overlay (the kernel's) as an upper directory
// over the layers' trees; btrfs, zfs and vfs as a whole tree of their own, which
// begins as a copy of what the chain makes: a base, once for each chain, where
// the file system can clone it. A view is a mount of a chain that nobody can
// write to. A mount says for how long somebody must serve it.
//
// # Laws
//
//  1. A snapshot that can be seen is whole: Prepare makes all of it in a stage
//     first. What a driver keeps elsewhere is made under a name that nothing
//     mentions until then.
//  2. Layers are never written.
//  3. A snapshot is mounted once at a time, and not removed while it is.
//  4. Diff of a snapshot, unpacked over its chain, is the snapshot.
//  5. A driver that can't work here says what is missing and what to do.
//
// # Which one auto is
//
// union, wherever FUSE is; it needs no privilege, its renames of directories and
// its hard links are right, and it serves stores of one id. Without FUSE it is
// overlay, where the kernel allows that, and else vfs. btrfs and zfs are for
// who asks for them.
package driver
