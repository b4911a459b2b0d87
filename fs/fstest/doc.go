// Package fstest is the test oracle for union file systems: what a mount of
// layers must look like, and how to find out that it doesn't.
//
// # Nouns
//
//   - A tree is text: Snapshot prints one canonical line per object, Diff
//     compares, Build makes a tree from a description.
//   - An Op is one operation as a value. It applies to a real directory
//     (Op.Apply) and to the Model, prints as a line and as Go source.
//   - A Model is a POSIX file system in memory, with ext4's errnos.
//   - Layers describe a stack, a Mounted is a stack that is mounted, a NewMount
//     makes one from the other. KernelMount is the kernel's overlayfs as a
//     NewMount, KernelOverlay mounts directories that exist.
//   - The Suite is a table of checks, each a claim about a mount of its own.
//   - RandomSequences compares a mount with the Model, Against compares it
//     with another mount and lets each mount what the other wrote.
//
// # Laws
//
//  1. An expectation is asked of the real system where there is one: the Model
//     is compared with plain directories, the Suite runs on the kernel's
//     overlayfs, in this package's own tests.
//  2. Every check ends with a remount that shows the same tree, and with lower
//     layers that are what they were.
//  3. A failure prints what makes it happen again: layers and operations, made
//     as small as they go (Shrink).
//  4. Nothing is skipped silently: Need functions fail where the environment
//     says CI. Checks for another caller belong to that caller's run, and are
//     named in the log.
//  5. A difference that is allowed has a name (Tolerance, check.kernel) and a
//     reason.
//
// # The language of Build
//
// One object per line; # begins a comment; a path is a word in which \xHH is a
// byte; values are "Go strings", 0sHEX or bare words; missing parents are made
// with mode 0755; an attribute key=value may end any line, in the order in which
// it is to be set (owner before capabilities, which chown clears).
//
//	dir PATH [MODE]                 char PATH MAJOR MINOR [MODE]
//	file PATH [MODE] ["content"]    block PATH MAJOR MINOR [MODE]
//	random PATH SIZE SEED           fifo PATH [MODE]
//	sparse PATH SIZE [OFFSET "x"]   sock PATH [MODE]
//	symlink PATH -> TARGET          hardlink NEW = OLD
//	xattr PATH name=value …         owner PATH UID:GID
//	mtime PATH SECONDS.FRACTION     whiteout PATH
//	opaque PATH [fuseoverlayfs]     format overlay|xattr|aufs
//
// Attributes: owner=UID:GID, mtime=SECONDS.FRACTION, mode=MODE, and any xattr
// by its full name. format says how later whiteouts and opaque marks of the
// layer are written; the xattrs are trusted.overlay.* where that is allowed,
// else user.overlay.*. An object without an mtime gets one derived from its
// path.
//
// # Where the kernel's overlayfs differs
//
// Found by running the sequences and the suite on it with redirect_dir, index
// and metacopy on (KernelTolerance and the kernel field of checks are this list
// as code):
//
//   - st_nlink of a merged directory is 1; others count subdirectories.
//   - Opening a file for writing of which only metadata was copied up copies
//     the data and sets the modification time to the present.
//   - A rename that is refused may have changed its directories' times: copy-up
//     and opaque marks come first.
//   - fstat of a lower file that was opened for reading before its last name
//     went (by unlink, or a rename over it) still says one link.
//   - A whiteout that hides nothing, in a directory that one layer alone makes,
//     is listed, and look-up says ENOENT.
//   - A shared read-only mapping and a lock from before copy-up stay with the
//     lower inode.
//   - It reads neither .wh. files nor user.fuseoverlayfs.opaque.
//   - Without trusted xattrs (in a user namespace): EXDEV for renames of lower
//     and merged directories, also where a later check would say ENOTEMPTY; hard
//     links part at copy-up and inode numbers change with it; a data copy-up
//     fills small holes.
//
// It agrees with the rest, among them RENAME_EXCHANGE and RENAME_NOREPLACE on
// all kinds, EPERM for making a character device 0:0 and EINVAL for
// RENAME_WHITEOUT.
package fstest
