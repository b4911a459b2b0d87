package fstest

// KernelTolerance is where the kernel's overlayfs differs from a POSIX file
// system by design; doc.go has the list with the reasons.
var KernelTolerance = Tolerance{
	DirNlink:      true, // a merged directory says 1
	Mtime:         true, // opening a metacopy for writing copies its data and forgets the time; a refused rename changes the directory
	UnlinkedNlink: true, // fstat of a lower file answers from the lower inode
}
