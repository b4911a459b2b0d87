package union

import (
	"testing"

	"unionfs/fs/fstest"
)

// TestRecords keeps several names of a symlink and of a pipe one object where
// these can't carry attributes, and takes the index's entry away with the last.
func TestRecords(t *testing.T) {
	layers := fstest.Layers{Lower: []string{"symlink s -> to\nhardlink s2 = s\nfifo p 0622\nhardlink p2 = p"}}
	r := rigUp(t, layers, func(r *rig) { r.cfg.UserXattr = true })
	number := r.stat("s").Ino
	r.do(fstest.Op{Kind: fstest.Utimes, Path: "s", Off: 5}, fstest.Op{Kind: fstest.Chmod, Path: "p2", Mode: 0o600})
	for _, c := range []struct {
		op    fstest.Op
		path  string
		nlink uint32
	}{
		{fstest.Op{Kind: fstest.Link, Path: "s", To: "s3"}, "s2", 3},
		{fstest.Op{Kind: fstest.Unlink, Path: "s"}, "s3", 2},
		{fstest.Op{Kind: fstest.Unlink, Path: "s2"}, "s3", 1},
		{fstest.Op{Kind: fstest.Unlink, Path: "p"}, "p2", 1},
	} {
		r.do(c.op)
		for range 2 {
			if st := r.stat(c.path); st.Nlink != c.nlink || c.path != "p2" && st.Ino != number {
				t.Errorf("after %s: %s is %d with %d links, want %d with %d", c.op, c.path, st.Ino, st.Nlink, number, c.nlink)
			}
			r.reopen()
		}
	}
	if mode := r.stat("p2").Mode & 0o7777; mode != 0o600 {
		t.Errorf("p2 has mode %o after a change by its name", mode)
	}
	r.do(fstest.Op{Kind: fstest.Unlink, Path: "s3"}, fstest.Op{Kind: fstest.Unlink, Path: "p2"})
	if len(r.u.work.indexed) != 0 {
		t.Errorf("the index still holds %v", r.u.work.indexed)
	}
	r.clean()
}
