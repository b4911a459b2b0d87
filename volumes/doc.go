// Package volumes keeps data that outlives containers.
//
// # Nouns
//
// A volume is a directory with a name, labels and options that some driver
// keeps; an anonymous one got its name from us. A driver makes, lists, mounts
// and removes volumes: the local one is here, others are reached by Docker's
// volume plugin protocol (volumes/plugin). A use is one container's (or one
// plugin client's) hold on a volume, with an id of its own: it is held, by a
// process, or lasts until its end is said.
//
// A plain volume is a directory. One that is served is a union: a top, which takes
// what is written, on frozen layers, which are trees of the store or images. A
// snapshot is a list of frozen layers. Others are mounts of the kernel's. A stage
// is where things are made, and where they go to be removed.
//
// # Laws
//
//  1. What has a name is whole. It is made in a stage and gets its name by one
//     rename, or is one change of meta.json; what takes two steps is noted in
//     meta.json, or in a name, so that the next who locks the volume finishes it.
//  2. A use that is held is a locked file. Whoever finds it without its lock ends
//     it. The file is there before the driver is told, and goes after the driver
//     was told the end.
//  3. A volume has at most one server. In a user namespace all its users are in one
//     mount namespace then (namespace.go).
//  4. A frozen layer is never written, and is there as long as a volume or a
//     snapshot has it in its list.
//  5. A volume is filled once, when it is new, and its own directory stays: others
//     may have it mounted. One of a plugin is never touched when it has anything.
//  6. What is inside a volume belongs to containers, which change it meanwhile: it
//     is reached by handles, and no name in it is followed.
//  7. Mounts are served by processes that do nothing else: who reads a mount that
//     it serves and is killed meanwhile waits for its own answer for ever.
//
// Lock order: a volume → the store. A stage's lock, a use's and a server's are
// never waited for while others are held, but by who has just made them.
package volumes
