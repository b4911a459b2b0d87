// Package fs is the FUSE face of a union: it turns node ids into inodes and
// requests into calls of package union, and tells the kernel what it may keep.
//
// # Laws
//
//   - Every change passes through the mount, so the kernel may cache entries,
//     attributes, absent names, data and listings for ever; whatever changes
//     something without the kernel knowing (suid bits dropped by fallocate)
//     says so with a notification.
//   - OPEN, RELEASE, FLUSH and OPENDIR answer ENOSYS: there is no file handle,
//     all I/O goes by inode. A descriptor opened before copy-up therefore sees
//     what is written after it.
//   - That is mode C. In mode P, which root gets where it can be had, files are
//     opened, and those in upper pass through (passthrough.go): the kernel then
//     reads and writes the host's file itself, and keeps no written data back.
//   - One node id is one inode while the kernel knows it. Ids are used again
//     with another generation.
//   - An error becomes an errno in one place (errno.go).
package fs
