package runner

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
)

func collect(into *bytes.Buffer) Output {
	var mu sync.Mutex
	return func(stream string, text []byte) error {
		mu.Lock()
		defer mu.Unlock()
		into.WriteString(stream + ":" + string(text) + "\n")
		return nil
	}
}

// An owner who comes late sees all from the beginning, in order and once.
func TestOwnerSeesTheBeginning(t *testing.T) {
	h := newHub(nil)
	h.await = true
	var early, owner bytes.Buffer
	leave := h.attach(collect(&early))
	for _, text := range []string{"1", "2"} {
		if err := h.print("stdout", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	h.attachOwner(collect(&owner))
	leave()
	if err := h.print("stderr", []byte("3")); err != nil {
		t.Fatal(err)
	}
	if got, want := owner.String(), "stdout:1\nstdout:2\nstderr:3\n"; got != want {
		t.Errorf("the owner got %q, want %q", got, want)
	}
	if got, want := early.String(), "stdout:1\nstdout:2\n"; got != want {
		t.Errorf("the other got %q, want %q", got, want)
	}
}

// A client that is gone doesn't disturb the others.
func TestHubDropsFailures(t *testing.T) {
	h := newHub(nil)
	var good bytes.Buffer
	calls := 0
	h.attach(func(string, []byte) error { calls++; return errors.New("gone") })
	h.attach(collect(&good))
	if err := h.pump("stdout", io.MultiReader(strings.NewReader("a"), strings.NewReader("b"))); err != nil {
		t.Fatal(err)
	}
	if calls != 1 || good.String() != "stdout:a\nstdout:b\n" {
		t.Errorf("%d calls of the one that is gone, the other got %q", calls, good.String())
	}
}

func TestFrames(t *testing.T) {
	var wire bytes.Buffer
	f := &framed{ReadWriteCloser: pipeEnd{&wire}}
	long := bytes.Repeat([]byte("x"), 2*maxFrame+5)
	for _, payload := range [][]byte{nil, []byte("one"), long} {
		if err := f.send(frameOut, payload); err != nil {
			t.Fatal(err)
		}
	}
	var got []byte
	for wire.Len() > 0 {
		kind, payload, err := f.receive()
		if err != nil || kind != frameOut {
			t.Fatalf("%c, %v", kind, err)
		}
		got = append(got, payload...)
	}
	if want := append([]byte("one"), long...); !bytes.Equal(got, want) {
		t.Errorf("%d bytes came, want %d", len(got), len(want))
	}
	wire.Write([]byte{'i', 0xff, 0xff, 0xff, 0xff})
	if _, _, err := f.receive(); err == nil {
		t.Error("a frame of four gigabytes was taken")
	}
	wire.Reset()
	wire.Write([]byte{'i', 0, 0, 0, 9, 'x'})
	if _, _, err := f.receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a frame that is cut short: %v", err)
	}
}

type pipeEnd struct{ *bytes.Buffer }

func (pipeEnd) Close() error { return nil }

// Where this process's own output takes no more the program can't write either; the
// other stream goes on.
func TestHubEndsWithItsOwnOutput(t *testing.T) {
	h := newHub(nil)
	gone := errors.New("gone")
	var errOut bytes.Buffer
	h.here = func(stream string, text []byte) error {
		if stream == "stdout" {
			return gone
		}
		errOut.Write(text)
		return nil
	}
	from := strings.NewReader("never read")
	if err := h.pump("stdout", io.MultiReader(strings.NewReader("a"), from)); err != gone {
		t.Errorf("the stream ended with %v", err)
	}
	if from.Len() != len("never read") {
		t.Error("what nobody takes was read")
	}
	if err := h.pump("stderr", strings.NewReader("b")); err != nil || errOut.String() != "b" {
		t.Errorf("the other stream: %q, %v", errOut.String(), err)
	}
}

// A log that can't be written is said once, and holds nobody up.
func TestHubGoesOnWithoutItsLog(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	h := newHub(&Log{f: full, open: map[string][]byte{}})
	told := 0
	h.unlogged = func(error) { told++ }
	var out bytes.Buffer
	h.attach(collect(&out))
	if err := h.pump("stdout", io.MultiReader(strings.NewReader("a\n"), strings.NewReader("b\n"))); err != nil {
		t.Fatal(err)
	}
	if told != 1 || out.String() != "stdout:a\n\nstdout:b\n\n" {
		t.Errorf("told %d times; printed %q", told, out.String())
	}
}
