// Package layertar turns layer archives into trees, and trees into layer
// archives.
//
// # Nouns
//
// An archive is a tar stream in the form of OCI's image-spec (layer.md), or of
// Docker before it. A tree is a directory as unions stack it: files, and marks
// in the form that a whiteout.Codec writes. A mark of an archive is a file
// named .wh.NAME or .wh..wh..opq. A source is what a union is made of: an upper
// directory, the layers below it and a work directory. A stack is the view that
// such a union shows; a collector gathers from it the items of an archive.
//
// # Laws
//
//  1. Nothing outside the given directory is read or changed, whatever an
//     archive says: every name is made through a handle of its directory, and
//     which names are directories is known without asking the disk. A symlink
//     that an entry's name leads through is followed as if the directory were
//     the root of the process; ".." in a name is refused.
//  2. The order of entries counts where they meet: the later one wins, except
//     that marks are about the layers below alone and hide nothing of their own
//     archive, wherever they stand in it.
//  3. The same archive makes the same tree, times of implied directories
//     included. The same tree makes the same bytes.
//  4. Unpack(Pack(x)) is x, and on top of x's lower layers it shows what x
//     showed: renamed directories, copies of metadata alone and hard links of
//     which one name was changed stand in the archive in full.
//  5. No attribute of an archive becomes a mark of the union, and no mark an
//     attribute.
//  6. Memory is bounded by directories and symlinks (Unpack) and by changes
//     (Pack), not by data.
//
// # What Unpack leaves out
//
// Each with a word through Warn: entries of unknown types; devices in a user
// namespace with RealIDs (as podman does; a union of real ids doesn't read what
// could stand in for them); attributes that the host can't hold or this process
// may not set (as podman does); with SingleID those named
// user.containers.override_*, which are the store's own. A device 0:0 with
// RealIDs is the whiteout that it would be on disk. A hard link to what isn't
// in the archive is an error, as in podman: there is no lower layer to look in.
//
// # What Pack leaves out
//
// Sockets; labels of security modules; the holes of sparse files are written as
// the zeroes that they read as. A file whose name begins with ".wh." is an
// error (NameError): archives of layers have no way to say it.
//
// # Who runs where
//
// Unpack reads on the caller's goroutine, which alone knows the tree and makes
// directories, hard links and marks. Files go to workers. No two files under
// way have one name: the reader awaits the earlier one. Directories get their
// owners, modes and times when all else is done.
package layertar
