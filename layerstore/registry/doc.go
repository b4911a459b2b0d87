// Package registry brings images into a store and out of it: from and to
// registries, archives and OCI layouts.
//
// # Nouns
//
// A reference is an image's name as users type it, made whole by
// layerstore.Normalize. A host is one server that may have a repository: the
// registry itself or one of its mirrors. An origin is where the blobs of an
// image come from: hosts, or an archive. A document is what a registry calls a
// manifest: it describes an image, or it is an index of such documents. A
// source is an archive, a folder or a stream that Load reads; its files are
// found by their names in it.
//
// # Laws
//
//  1. Manifests and configs are stored byte for byte, layers as they travel:
//     what was pulled or loaded from a layout has the same digests when it is
//     pushed or saved as a layout. So a layer whose tree is there, but whose
//     blob in this very form is not, is fetched.
//  2. Nothing that fails its digest, its size or its limits becomes visible,
//     and every size that somebody else states has a limit.
//  3. An image becomes visible when all of it is there.
//  4. A transfer that was cut off goes on where it ended: after a pause in the
//     same run, or in the next process.
//  5. Credentials go to the host that they are for; over plain HTTP only to
//     loopback and to hosts that are called insecure.
//  6. Names inside archives never lead out of them.
package registry
