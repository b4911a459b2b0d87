// Package layerstore keeps images as content-addressed layers, in a directory.
// It knows no FUSE, no namespaces and no registry: those import it.
//
// # Nouns
//
// A blob is a file named by the digest of its bytes: a layer as it travels
// (compressed), a config or a manifest. A layer is a blob unpacked: a
// directory named by its DiffID, the digest of the uncompressed tar, with
// whiteouts in the form that unions mount. A chain is a list of layers, the
// lowest first; a ChainID names it. An image is a config and the chain that it
// names; its ImageID is the config's digest. A name ("docker.io/library/x:1")
// points at an image and at the manifest that it came by. A snapshot is a
// writable place on top of a chain: an upper and a work directory of its own.
// A stage holds what one command is making.
//
// # On disk
//
//	store.json                     version, and how owners are kept
//	lock                           held for moments by whoever changes names
//	blobs/sha256/HEX               bytes with that digest
//	partial/HEX                    a blob on its way in; resumed
//	layers/HEX/{diff,meta.json}    the tree of a layer, and what is known of it
//	layers/HEX/index               what unions ask of the tree (fs/index)
//	images/HEX.json                an image: its layers and manifests
//	names.json                     names of images
//	snapshots/ID/{upper,work,meta.json}
//	chains/DRIVER/CHAIN, zfs/ID    trees that drivers keep (layerstore/driver)
//	stages/ID/{lease.json,...}     what is being made, locked while its maker lives
//
// # Laws
//
//  1. What stands under its name is whole: everything is made in a stage or
//     beside its place, synced, and published by one rename.
//  2. A digest is checked while bytes stream in; nothing that fails it is
//     ever published.
//  3. Readers take no lock. Writers hold the lock for the moments in which
//     they look at what is there and change names, never while bytes move.
//  4. What an image, a snapshot or a living stage's lease mentions is never
//     collected; everything else may be, by anybody, at any time.
//  5. A process killed at any point leaves a stage whose lock is free; the
//     next command that makes a stage removes it.
//  6. A layer is never changed after its publication.
//
// Lock order: Store.lock is the only lock that processes share, beside the one
// of each partial blob, which is taken first.
package layerstore
