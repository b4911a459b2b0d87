package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"unionfs/layerstore"
	"unionfs/layerstore/registry"
)

// display shows how blobs move: a bar for each on a terminal, else a line for
// each that is done.
type display interface {
	tell(registry.Event)
	// end leaves what is shown; ok is false when the command failed.
	end(ok bool)
}

// newDisplay shows on standard error, where it is in nobody's way.
func newDisplay(quiet bool) display {
	switch {
	case quiet:
		return silent{}
	case isTerminal(os.Stderr):
		return newBars(os.Stderr)
	}
	return &lines{w: stderr}
}

type silent struct{}

func (silent) tell(registry.Event) {}
func (silent) end(bool)            {}

// shortDigest is what people see of a digest.
func shortDigest(d layerstore.Digest) string { return d.Hex()[:12] }

// lines prints one line for each blob.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) tell(e registry.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Step {
	case registry.Resolved:
		fmt.Fprintf(l.w, "%s: found at %s\n", shortDigest(e.Blob), e.From)
	case registry.Retrying:
		fmt.Fprintf(l.w, "%s: trying again: %v\n", shortDigest(e.Blob), e.Err)
	case registry.Finished:
		fmt.Fprintf(l.w, "%s: done, %s\n", shortDigest(e.Blob), size(e.Size))
	case registry.Exists:
		fmt.Fprintf(l.w, "%s: is there already\n", shortDigest(e.Blob))
	}
}

func (l *lines) end(bool) {}

// bars shows a bar for each blob.
type bars struct {
	progress *mpb.Progress

	mu  sync.Mutex
	all map[layerstore.Digest]*bar
}

type bar struct {
	*mpb.Bar
	mu   sync.Mutex
	word string
}

func newBars(w io.Writer) *bars {
	return &bars{
		progress: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(100*time.Millisecond)),
		all:      map[layerstore.Digest]*bar{},
	}
}

func (b *bars) tell(e registry.Event) {
	if e.Step == registry.Resolved {
		return
	}
	bar := b.of(e)
	switch e.Step {
	case registry.Begun, registry.Moved:
		bar.say("moving")
		bar.SetCurrent(e.Done)
	case registry.Retrying:
		bar.say("trying again")
	case registry.Unpacking:
		bar.say("unpacking")
		bar.SetCurrent(e.Done)
	case registry.Finished:
		bar.finish("done")
	case registry.Exists:
		bar.finish("is there already")
	}
}

// of answers a blob's bar, and makes it when the blob is first heard of.
func (b *bars) of(e registry.Event) *bar {
	b.mu.Lock()
	defer b.mu.Unlock()
	if have := b.all[e.Blob]; have != nil {
		return have
	}
	made := &bar{}
	// A bar that reached its size is not done: it waits for SetTotal.
	made.Bar = b.progress.New(0, mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name(shortDigest(e.Blob)+" ")),
		mpb.AppendDecorators(
			decor.CountersKiloByte("% .1f / % .1f "),
			decor.Any(func(decor.Statistics) string { return made.said() }),
		))
	made.SetTotal(max(e.Size, 1), false)
	b.all[e.Blob] = made
	return made
}

func (b *bar) say(word string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.word = word
}

func (b *bar) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.word
}

func (b *bar) finish(word string) {
	b.say(word)
	b.SetTotal(-1, true) // as much as there is
}

func (b *bars) end(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bar := range b.all {
		if ok {
			bar.SetTotal(-1, true)
		} else {
			bar.Abort(false)
		}
	}
	b.progress.Wait()
}
