// Package driver gives snapshots of a store a place to be, and mounts them.
//
// # Nouns
//
// A driver keeps the writable snapshots of a store in its own way: union (this
// program's FUSE file system) and overlay (the kernel's) as an upper directory
// over the layers' trees; btrfs, zfs and vfs as a whole tree of their own. A tree
// is flat: nothing in it is a mark, and every attribute has the name that users
// see. A layer is applied to a flat tree to put on top of it what the layer adds,
// and to remove what it hides. A base is the flat tree that a chain makes, kept
// once: clones of it are what snapshots of btrfs and zfs begin as, and all three
// compare with it and show it. A view is a mount of a chain that nobody can write
// to. A mount says for how long somebody must serve it.
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
//  6. A base that can be seen is whole, and on disk, and never changes. It stays
//     as long as a snapshot has its chain, or somebody uses or shows it; where
//     snapshots begin as clones, also as long as an image has its chain. What
//     killed commands leave goes with a later one: what is in a dead stage with
//     the next Begin, what is elsewhere with Collect, which removals call too.
//
// # Lock order
//
// The use of a snapshot (mounted in its folder), then the guard of a driver's
// bases (chains/DRIVER.lock, zfs/lock: shared by users, whole for Collect), then
// the lock of the base that is made (beside it), then the store's. Collect never
// waits for the guard: what is in use just now is for another time. Programs that
// a driver runs inherit the locks that they are run under, since they may outlive
// it.
//
// # Which one auto is
//
// union, wherever FUSE is; it needs no privilege, its renames of directories and
// its hard links are right, and it serves stores of one id. Without FUSE it is
// overlay, where the kernel allows that, and else vfs. btrfs and zfs are for
// who asks for them.
package driver
