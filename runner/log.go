package runner

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// A log is lines in the form of the Kubernetes container runtime interface,
// which podman and containerd write too: time, stream, F or P, and what was
// printed. P is a line that goes on in the next entry.

// Log writes a container's log. Its methods may be called concurrently.
type Log struct {
	mu sync.Mutex
	f  *os.File
	// open are the ends of lines that aren't complete yet, by stream.
	open map[string][]byte
}

func openLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return &Log{f: f, open: map[string][]byte{}}, err
}

// maxLine is where a line is cut into entries: what a program prints without
// end must not stay in memory.
const maxLine = 16 << 10

// write adds what a stream printed.
func (l *Log) write(stream string, text []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out bytes.Buffer
	now := time.Now().UTC().Format(time.RFC3339Nano)
	rest := append(l.open[stream], text...)
	for len(rest) > 0 {
		end := bytes.IndexByte(rest, '\n')
		switch {
		case end >= 0 && end <= maxLine:
			fmt.Fprintf(&out, "%s %s F %s\n", now, stream, rest[:end])
			rest = rest[end+1:]
			continue
		case len(rest) > maxLine:
			fmt.Fprintf(&out, "%s %s P %s\n", now, stream, rest[:maxLine])
			rest = rest[maxLine:]
			continue
		}
		break
	}
	l.open[stream] = append([]byte(nil), rest...)
	n, err := l.f.Write(out.Bytes())
	if err != nil && n > 0 {
		l.takeBack(n)
	}
	return err
}

// takeBack leaves no half of an entry before the next one.
func (l *Log) takeBack(n int) {
	if at, err := l.f.Seek(0, io.SeekEnd); err == nil {
		_ = l.f.Truncate(at - int64(n)) // a log that can't be written is told of already
	}
}

// Close writes what is left of lines without an end.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for stream, rest := range l.open {
		if len(rest) > 0 {
			fmt.Fprintf(l.f, "%s %s P %s\n", now, stream, rest)
		}
	}
	return l.f.Close()
}

// Entry is one entry of a log.
type Entry struct {
	At     time.Time
	Stream string // stdout or stderr
	Text   string
	Whole  bool // a line ends here
}

func parseEntry(line string) (Entry, bool) {
	parts := strings.SplitN(line, " ", 4)
	if len(parts) != 4 {
		return Entry{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	return Entry{At: at, Stream: parts[1], Whole: parts[2] == "F", Text: parts[3]}, err == nil
}

// LogOptions say what of a log is wanted.
type LogOptions struct {
	Follow       bool
	Tail         int // entries from the end; negative is all
	Since, Until time.Time
}

// Logs calls each with the entries of a container's log. With Follow it goes on
// until the container ends.
func (r *Runner) Logs(ctx context.Context, c *Container, o LogOptions, each func(Entry) error) error {
	f, err := os.Open(c.LogPath())
	if errors.Is(err, fs.ErrNotExist) && !o.Follow {
		return nil // it never ran
	}
	for errors.Is(err, fs.ErrNotExist) {
		if err := pause(ctx); err != nil {
			return err
		}
		f, err = os.Open(c.LogPath())
	}
	if err != nil {
		return err
	}
	defer f.Close()
	t := tailer{in: bufio.NewReaderSize(f, 64<<10), o: o, each: each}
	if o.Tail >= 0 {
		if err := t.skipTo(f, o.Tail); err != nil {
			return err
		}
	}
	for {
		// Looked at before the reading: what it printed is in the log before
		// its state says that it ended.
		running := o.Follow && monitored(&c.Snapshot)
		if err := t.drain(); err != nil || !running {
			return err
		}
		if err := pause(ctx); err != nil {
			return nil // somebody has seen enough
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// tailer reads entries from a file that grows.
type tailer struct {
	in   *bufio.Reader
	part string // of a line that isn't all written yet
	o    LogOptions
	each func(Entry) error
}

// skipTo leaves the last n entries to be read.
func (t *tailer) skipTo(f *os.File, n int) error {
	lines := 0
	for {
		_, err := t.in.ReadSlice('\n')
		if err == nil {
			lines++
		} else if err != bufio.ErrBufferFull {
			break
		}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	t.in.Reset(f)
	for range max(0, lines-n) {
		for {
			if _, err := t.in.ReadSlice('\n'); err != bufio.ErrBufferFull {
				break
			}
		}
	}
	return nil
}

// drain gives out all whole entries that there are.
func (t *tailer) drain() error {
	for {
		text, err := t.in.ReadString('\n')
		t.part += text
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		e, ok := parseEntry(strings.TrimSuffix(t.part, "\n"))
		t.part = ""
		if !ok || e.At.Before(t.o.Since) || !t.o.Until.IsZero() && e.At.After(t.o.Until) {
			continue
		}
		if err := t.each(e); err != nil {
			return err
		}
	}
}
