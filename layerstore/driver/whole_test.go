package driver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"unionfs/layerstore"
	"unionfs/layerstore/layertar"
)

// victim is what a process that is going to be killed is told.
type victim struct {
	Driver, Root string
	Chain        []layerstore.DiffID
}

const victimVariable = "DRIVER_TEST_VICTIM"

// The program becomes such a process before it is a test.
func init() {
	text := os.Getenv(victimVariable)
	if text == "" {
		return
	}
	if err := liveOn(text); err != nil {
		fmt.Fprintln(os.Stderr, "a victim:", err)
		os.Exit(1)
	}
}

// liveOn makes, packs and removes snapshots until it is killed.
func liveOn(text string) error {
	var v victim
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	s, err := layerstore.Open(v.Root)
	if err != nil {
		return err
	}
	d, err := byName(v.Driver, s)
	if err != nil {
		return err
	}
	var mine []layerstore.Snapshot
	for ctx := context.Background(); ; {
		switch {
		case len(mine) < 3:
			n, err := prepareOn(ctx, d, s, layerstore.Snapshot{Layers: v.Chain[:1+rand.IntN(len(v.Chain))]})
			if err != nil {
				return err
			}
			mine = append(mine, n)
		case rand.IntN(4) == 0:
			if err := d.Diff(ctx, mine[0], io.Discard); err != nil {
				return err
			}
		default:
			if err := d.Remove(ctx, mine[0]); err != nil {
				return err
			}
			mine = mine[1:]
		}
	}
}

func prepareOn(ctx context.Context, d Driver, s *layerstore.Store, n layerstore.Snapshot) (layerstore.Snapshot, error) {
	st, err := s.Begin()
	if err != nil {
		return n, err
	}
	defer st.Close()
	if err := st.Hold(nil, n.Layers); err != nil {
		return n, err
	}
	return d.Prepare(ctx, st, n)
}

// killed ends processes at any point. What they published is whole, and what
// they didn't goes with the next commands.
func (b *bench) killed() {
	text, err := json.Marshal(victim{b.d.Name(), b.s.Root(), b.chain})
	b.must(err)
	lives, long := 5, 120
	if b.d.Name() == "zfs" {
		lives, long = 3, 1500
	}
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for range lives {
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(), victimVariable+"="+string(text))
				cmd.Stderr = os.Stderr
				if err := cmd.Start(); err != nil {
					b.Error(err)
					return
				}
				time.Sleep(time.Duration(10+rand.IntN(long)) * time.Millisecond)
				_ = cmd.Process.Kill()
				if err := cmd.Wait(); err != nil && cmd.ProcessState.Exited() {
					b.Errorf("a process failed before it was killed: %v", err)
				}
			}
		})
	}
	wait.Wait()
	b.afterKilling()
}

func (b *bench) afterKilling() {
	b.Helper()
	s, err := layerstore.Open(b.s.Root()) // as the next command does
	b.must(err)
	d, err := byName(b.d.Name(), s)
	b.must(err)
	// One more of each chain, so that also bases are looked at that no snapshot has.
	for i := range b.chain {
		_, err := prepareOn(b.Context(), d, s, layerstore.Snapshot{Layers: b.chain[:i+1]})
		b.must(err)
	}
	all, err := s.Snapshots()
	b.must(err)
	want := map[int][]string{}
	for i := range b.chain {
		if s.IDs() == layertar.RealIDs {
			want[i+1] = b.tree(flatten(b.T, s, b.chain[:i+1]))
			continue
		}
		b.view(b.chain[:i+1], func(dir string) { want[i+1] = b.tree(dir) })
	}
	b.Logf("%d snapshots outlived their makers", len(all)-len(b.chain))
	for _, n := range all {
		if changes, err := d.Changes(b.Context(), n); err != nil || len(changes) > 0 {
			b.Errorf("snapshot %s of %d layers has changes: %v, %v", n.Short(), len(n.Layers), changes, err)
		}
		b.in(n, func(dir string) { b.same("a snapshot", want[len(n.Layers)], b.tree(dir)) })
		b.must(d.Remove(b.Context(), n))
	}
	b.must(Collect(b.Context(), s))
	if stages, _ := filepath.Glob(filepath.Join(s.Root(), "stages", "*")); len(stages) > 1 { // one is the bench's
		b.Errorf("stages are left: %v", stages)
	}
	b.empty()
}
