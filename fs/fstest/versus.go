package fstest

import (
	"fmt"
	"time"
)

// since is when "now" begins for a comparison: file systems take the time from
// the clock of the last tick, which may lie a few milliseconds back.
func since() time.Time { return time.Now().Add(-time.Second) }

// versus applies the operations to a directory and to a model and returns the
// first difference in what they show, else that between the final trees.
func versus(root string, s *State, m *Model, ops []Op, tol Tolerance) string {
	start := since()
	defer s.Close()
	for i, op := range ops {
		got, want := op.Apply(root, s), m.Apply(op)
		if diff := tol.mismatch(op, got, want); diff != "" {
			return fmt.Sprintf("operation %d: %s: %s", i+1, op, diff)
		}
	}
	s.Close()
	return treeDiff(root, m, tol, start, "at the end")
}

func treeDiff(root string, m *Model, tol Tolerance, start time.Time, when string) string {
	opt := tol.snapshot()
	opt.Since = start
	got, err := Snapshot(root, opt)
	if err != nil {
		return fmt.Sprintf("%s: %v", when, err)
	}
	if diff := Diff(m.Snapshot(opt), got); diff != "" {
		return fmt.Sprintf("tree %s (- is wanted, + is there):\n%s", when, diff)
	}
	return ""
}
