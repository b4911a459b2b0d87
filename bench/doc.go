// Package bench measures file systems that do the same job: the same work on
// each, again and again, and how the times compare.
//
// The nouns:
//
//   - A target is a way to show lower trees with a writable top: a union of
//     some kind, or a plain directory that holds a copy. Targets are handed
//     in as data (command lines with places to fill), so that this package
//     knows no union and can favour none.
//   - A workload is work that people have, done by the tools that they use.
//   - A fixture is what workloads start from (a root file system, a big file,
//     a repository): made once, kept in the work folder, never written again.
//   - A bed is one fresh place for one run of a workload: its mount, its empty
//     upper, and a scratch folder outside.
//   - A sample is one run's measure. Less is better in every unit.
//   - The worker is the process in which one run takes place. It has a mount
//     namespace of its own, and a user namespace for rootless targets.
//
// The laws:
//
//   - Nothing of a run outlives it: mounts are in the worker's namespace, and
//     its servers are its children or are adopted by it or by the runner.
//   - Runs are interleaved: every target once, then every target again, so
//     that a busy minute of the machine hurts all of them.
//   - Whatever couldn't run says why. Whatever failed doesn't end the rest.
//   - No workload knows which target it runs on.
package bench
