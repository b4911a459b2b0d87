// Package index keeps all that lookup, stat, listings, readlink and extended
// attributes ask of a read-only layer in one file, which unions map into
// memory instead of asking the layer's file system.
//
// # Nouns
//
// An index is about one tree. A Dir is one of its directories, an Entry one
// name in a directory, with what stat says, the target of a symlink, and all
// extended attributes. Each entry has the class that the whiteout package gave
// it when the index was written.
//
// # Laws
//
//  1. An index answers what the tree would. It is of use only for trees that
//     nobody changes, and for one that holds no redirects and no metacopies:
//     Write refuses others.
//  2. An index belongs to the directory it was made of: inode number and times
//     of the tree's root stand in it, and Open refuses it for any other.
//  3. No bytes in an index file, whoever wrote them, lead to a panic or out of
//     the mapping: every offset is checked where it is used.
//
// # Format
//
// A header (layout.go), then directories, then entries, each of fixed size, in
// the machine's... little-endian order, then the text that they point into. The
// entries of a directory stand together, sorted by name, so that a name is
// found by halving.
//
// An Index may be used by any number of goroutines until Close.
package index
