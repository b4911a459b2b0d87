// Package whiteout speaks the marks that layers carry on disk: whiteouts,
// opaque directories, and owners kept in attributes.
//
// Nouns: a mark says something about the layers below and is no file of the
// union's users. A whiteout of NAME hides NAME; an opaque directory hides all
// that the directory of that name has below. A format is one way to write
// marks: the overlay form (a character device 0:0 named NAME; an xattr on the
// directory), the xattr form (an empty regular file NAME with an xattr, in a
// directory that says so), the aufs form (a file .wh.NAME; a file .wh..wh..opq),
// and the tar form, which is how the aufs form travels in image layers. A codec
// writes one format; Classify and ReadDirMarks read all of them.
//
// Laws:
//
//  1. Decode(Encode(m)) is m, for every mark that Encode takes.
//  2. Unescape(Escape(x)) is x and shown, for every x; only images of Escape
//     are shown.
//  3. ParseOverride(o.Append(nil)) is o.
//  4. What a codec makes, Classify and ReadDirMarks find, and so does the
//     kernel's overlayfs where it knows the form.
//  5. A directory's own statement costs one system call when it has none, and
//     a name that can't be a mark costs none.
//
// # What the kernel does with the xattr form
//
// Run on Linux 6.18; the names are those of fs/overlayfs.
//
// Lookup (ovl_path_is_whiteout) honours an empty regular file with the whiteout
// xattr in every directory of every layer. A file that isn't empty is no
// whiteout, whatever its xattrs. Listing honours it only in a lower layer's
// directory whose opaque xattr is "x" (d.xwhiteouts; the layer's root needs its
// own "x" for its own names only); elsewhere, so also in an upper directory,
// the name may be listed although it can't be found. "x" doesn't make the
// directory opaque. "y" does, and takes the place of "x": since the xattr has
// one byte, an opaque directory can't announce xattr whiteouts to the kernel.
// It needs none, for nothing shows through. Where both are there (a directory
// with such whiteouts becomes opaque) we keep overlay.unionfs.xwhiteouts beside
// it, for the empty files to stay hidden in our union.
package whiteout
