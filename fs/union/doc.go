// Package union stacks read-only layer directories under a writable upper
// directory and answers for the result as one POSIX file system. It knows no
// FUSE: its callers are file-system servers and tests.
//
// # Nouns
//
// A layer is a directory of the host with a place in the stack. Upper takes
// all changes; the lowers below it are ordered, the highest first. The union
// of a directory is the merge of the directories of that name in every layer
// down to the first opaque one; of all else the highest layer's object shows.
// A whiteout in a layer hides a name of the layers below it. An Inode is one
// object of the union, for as long as somebody holds a reference to it; a
// table holds the names of one directory. Work is where things are staged
// before one rename or link publishes them in upper.
//
// # Laws
//
//  1. Lower layers are never written.
//  2. Nothing half-made is visible: stage in work, publish by one rename or
//     link. Leftovers in work are swept at the next Open.
//  3. One object is one inode: its number is unique, the same in stat and in
//     listings, and survives copy-up, rename and remount. Hard links stay one
//     file (work holds an index of those that were copied up).
//  4. What is written to an Inode is what is read from it, whoever holds it,
//     before and after copy-up. Unlinked objects live until they are forgotten.
//  5. Copy-up holds the copy lock of its own inode and no other lock while it
//     moves data.
//  6. Copy-up costs what changes: metadata changes copy no data (metacopy), a
//     directory's rename copies nothing (redirect).
//  7. The kernel's overlayfs mounts what we write, and the reverse.
//  8. Descriptors are bounded: those kept for directories and file data are
//     caches; everything can be opened again from its place.
//  9. Errors are the kernel's. A bare errno is a verdict for the caller; a
//     wrapped error is an incident.
//
// # Lock order
//
//	Inode.copyMu  the copy-up of one inode; nothing else is held to take it
//	Union.tree    read: names and places hold still; write: rename
//	dir.mu        the table of one directory; parent before child
//	Inode.mu      place and state of one inode
//	Union.links, work, caches   leaves
//
// Union.tree is never held while data is copied, read, written or synced.
package union
