// Package volumes keeps data that outlives containers.
//
// # Nouns
//
// A volume is a directory with a name, labels and options that some driver
// keeps; an anonymous one got its name from us. A driver makes, lists, mounts
// and removes volumes: the local one is here, others are reached by Docker's
// volume plugin protocol (volumes/plugin). A use is one container's (or one
// plugin client's) hold on a volume, with an id of its own.
package volumes
