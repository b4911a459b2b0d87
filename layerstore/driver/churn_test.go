package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// churn makes and removes snapshots of one chain, so that what they share is
// made and collected over and over.
func (b *bench) churn() {
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for k := range b.rounds() {
				if err := b.oneLife(fmt.Sprintf("n%d-%d", i, k)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.empty()
}

// rounds is how often something is done that takes some drivers long.
func (b *bench) rounds() int {
	if b.d.Name() == "zfs" {
		return 3
	}
	return 10
}

func (b *bench) oneLife(name string) error {
	n, err := b.prepareIn(b.Context(), name, b.chain)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	changes, err := b.d.Changes(b.Context(), n)
	if err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if len(changes) > 0 {
		return fmt.Errorf("a new snapshot has changes: %v", changes)
	}
	if err := b.d.Remove(b.Context(), n); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	return nil
}

// views mounts the chain and looks at it while snapshots of it go.
func (b *bench) views() {
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := b.oneLife(fmt.Sprintf("n%d", i)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	for range b.rounds() {
		b.view(b.chain, func(dir string) {
			if text, err := os.ReadFile(filepath.Join(dir, "data/new")); err != nil || string(text) != "new" {
				b.Errorf("a view shows data/new as %q, %v", text, err)
			}
		})
	}
	close(stop)
	wait.Wait()
	// The base of a view goes with the next snapshot that does.
	b.must(b.oneLife("last"))
	b.empty()
}

// testPatience is how long anything may take on a busy machine.
const testPatience = time.Minute

// empty finds nothing of snapshots in the store any more, once what was in use a
// moment ago is collected.
func (b *bench) empty() {
	b.Helper()
	if all, err := b.s.Snapshots(); err != nil || len(all) > 0 {
		b.Errorf("%d snapshots are left, %v", len(all), err)
	}
	for deadline := time.Now().Add(testPatience); ; time.Sleep(20 * time.Millisecond) {
		b.must(Collect(b.Context(), b.s))
		left := b.leftovers()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("these are left: %v", left)
		}
	}
}

// leftovers are the things of snapshots and their bases.
func (b *bench) leftovers() (left []string) {
	b.Helper()
	for _, pattern := range []string{"chains/*/*", "snapshots/*", "zfs/[0-9a-f]*"} {
		names, err := filepath.Glob(filepath.Join(b.s.Root(), pattern))
		b.must(err)
		left = append(left, names...)
	}
	if d, ok := b.d.(*zfsDriver); ok {
		parent, err := d.sets.parent(b.Context())
		b.must(err)
		rows, err := zfsCommand{}.list(b.Context(), "name")
		b.must(err)
		for _, row := range rows {
			if strings.HasPrefix(row[0], d.sets.prefix(parent)) {
				left = append(left, row[0])
			}
		}
	}
	return left
}
