// Package build reads the instructions of Dockerfiles.
//
// Nouns: a change is an instruction that makes nothing in a file system and alters
// the config of an image, as CMD and ENV do.
//
// Laws: instructions are read by buildkit's own parser, so that they mean what they
// mean to docker; a list of changes takes effect whole or not at all.
//
// There are no locks; nothing here is for several goroutines at once.
package build
