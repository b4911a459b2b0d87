package fstest

import "slices"

// Shrink returns a part of ops that still fails and from which no single
// operation can be taken away (delta debugging, Zeller's ddmin without the
// subset step: operations depend on earlier ones, so complements do the work).
// fails must be deterministic; it is called with sequences in order.
func Shrink(ops []Op, fails func([]Op) bool) []Op {
	for size := max(len(ops)/2, 1); ; size /= 2 {
		ops = withoutChunks(ops, size, fails)
		if size <= 1 {
			return ops
		}
	}
}

// withoutChunks drops every chunk of the size that isn't needed, and starts
// again at the end of the list as long as that helps: later operations are
// the ones that depend on earlier ones.
func withoutChunks(ops []Op, size int, fails func([]Op) bool) []Op {
	for again := true; again; {
		again = false
		for end := len(ops); end > 0; end -= size {
			start := max(end-size, 0)
			rest := slices.Concat(ops[:start], ops[min(end, len(ops)):])
			if fails(rest) {
				ops, again = rest, size == 1
			}
		}
	}
	return ops
}
