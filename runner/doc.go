// Package runner gives images a life as containers.
//
// # Nouns
//
// A container is a snapshot of a store with a Spec (what was asked for, kept in
// the snapshot) and a State (what became of it). A plan is what a sandbox is
// told, made from the spec, the image's config and facts about this machine. A
// monitor is the process that mounts a container's root, starts its sandbox,
// keeps what it prints, and waits for its end; it is the caller's own process,
// or one in the background. A client is somebody attached to the container's
// streams. A keeper is the process between a monitor and another runtime
// (keeper.go).
//
// # Laws
//
//  1. NewPlan is pure: same spec, config and facts, same plan. All that is done
//     to the machine for a container is in its plan.
//  2. A container's root is a mount that is in no tree but the container's own,
//     so that nobody has to clear it away: it goes with the last process.
//  3. A monitor that dies takes its container along, and what its state file
//     says is believed only while the monitor's lock is held.
//  4. What a container printed before it ended is in its log before its state
//     says that it ended.
//  5. The writable layer goes with --rm, whatever way the container ends; else
//     it is found again by the next start.
//
// # On disk
//
// In the snapshot's folder, beside what the driver keeps there:
//
//	state.json   written by the monitor
//	monitor      locked while the container runs
//	log          what was printed (log.go)
//	etc/         the container's hosts, hostname and resolv.conf
//
// Lock order: monitor before the store's.
package runner
