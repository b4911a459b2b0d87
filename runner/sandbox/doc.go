// Package sandbox makes namespaces: of users first of all, since all others can
// be had without privilege in one's own. It imports nothing of ours.
//
// Nouns: a range is a run of host ids that root has given to an ordinary user
// (subuid(5), subgid(5)). Entering a user namespace gives the caller's own id
// the number 0 there, and the ranges the numbers from 1 on.
//
// Law: nobody gets an id that root hasn't granted; the maps are written by
// newuidmap(1) and newgidmap(1), which check.
package sandbox
