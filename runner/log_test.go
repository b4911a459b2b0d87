package runner

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// replay writes pieces and reads the log back.
func replay(t *testing.T, o LogOptions, pieces ...[2]string) (stdout, stderr string, entries int) {
	t.Helper()
	dir := t.TempDir()
	c := containerIn(dir)
	l, err := openLog(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if err := l.write(p[0], []byte(p[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	err = (&Runner{}).Logs(t.Context(), &c, o, func(e Entry) error {
		entries++
		w := &out
		if e.Stream == "stderr" {
			w = &errOut
		}
		w.WriteString(e.Text)
		if e.Whole {
			w.WriteByte('\n')
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), entries
}

// What goes into a log comes out, however it was cut into pieces.
func TestLogKeepsEveryByte(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine+17)
	out, errOut, _ := replay(t, LogOptions{Tail: -1},
		[2]string{"stdout", "one\ntw"}, [2]string{"stderr", "err"}, [2]string{"stdout", "o\n\n"}, [2]string{"stdout", long},
		[2]string{"stdout", "\nlast without end"}, [2]string{"stderr", "or\n"})
	if want := "one\ntwo\n\n" + long + "\nlast without end"; out != want {
		t.Errorf("stdout is %d bytes, want %d", len(out), len(want))
	}
	if errOut != "error\n" {
		t.Errorf("stderr is %q", errOut)
	}
}

func TestLogTail(t *testing.T) {
	out, _, n := replay(t, LogOptions{Tail: 2}, [2]string{"stdout", "1\n2\n3\n"})
	if out != "2\n3\n" || n != 2 {
		t.Errorf("got %q in %d entries", out, n)
	}
	if out, _, _ := replay(t, LogOptions{Tail: 0}, [2]string{"stdout", "1\n"}); out != "" {
		t.Errorf("got %q", out)
	}
	if out, _, _ := replay(t, LogOptions{Tail: -1, Since: time.Now().Add(time.Hour)}, [2]string{"stdout", "1\n"}); out != "" {
		t.Errorf("got %q of the future", out)
	}
}

func TestLogOfOneThatNeverRan(t *testing.T) {
	c := containerIn(t.TempDir())
	err := (&Runner{}).Logs(t.Context(), &c, LogOptions{Tail: -1}, func(Entry) error { t.Error("an entry"); return nil })
	if err != nil {
		t.Error(err)
	}
}

// Following ends with the container, and not before all was read.
func TestLogFollows(t *testing.T) {
	c := containerIn(t.TempDir())
	lock, err := lockMonitor(&c.Snapshot)
	if err != nil {
		t.Fatal(err)
	}
	l, err := openLog(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range 3 {
			time.Sleep(30 * time.Millisecond)
			_ = l.write("stdout", []byte("line\n"))
		}
		_ = l.Close()
		lock.release()
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := 0
	if err := (&Runner{}).Logs(ctx, &c, LogOptions{Tail: -1, Follow: true}, func(Entry) error { n++; return nil }); err != nil || n != 3 {
		t.Errorf("%d entries, %v; want 3", n, err)
	}
}

// A log with rubbish in it is read as far as it makes sense.
func TestLogWithRubbish(t *testing.T) {
	c := containerIn(t.TempDir())
	text := "rubbish\n\n2026-01-01T00:00:00Z stdout F fine\n\x00\xff a b c\n"
	if err := os.WriteFile(c.LogPath(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := (&Runner{}).Logs(t.Context(), &c, LogOptions{Tail: -1}, func(e Entry) error { got = append(got, e.Text); return nil })
	if err != nil || len(got) != 1 || got[0] != "fine" {
		t.Errorf("got %q, %v", got, err)
	}
}
