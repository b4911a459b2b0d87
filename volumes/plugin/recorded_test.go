package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"unionfs/volumes"
)

// A recording is a text of what a caller does with a driver, what goes over the
// socket then, and what the caller gets:
//
//	# a comment
//	call create NAME [KEY=VALUE…]
//	> /VolumeDriver.Create {"Name":…}     the request that must come
//	< 200 text/plain                      the reply's status and type
//	| {"Err": ""}                         and its body, line by line
//	= ok                                  what the caller gets
//
// $DIR stands for a directory that is there.
type (
	recording struct{ steps []*step }
	step      struct {
		line      int
		call      []string
		exchanges []exchange
		result    string
	}
	exchange struct {
		path, request string
		code          int
		kind, body    string
	}
)

func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.recorded")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir := t.TempDir()
			play(t, parseRecording(t, file, dir), dir)
		})
	}
}

func parseRecording(t *testing.T, file, dir string) (r recording) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var now *step
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.ReplaceAll(line, "$DIR", dir)
		mark, rest, _ := strings.Cut(line, " ")
		switch mark {
		case "", "#":
		case "call":
			now = &step{line: i + 1, call: strings.Fields(rest)}
			r.steps = append(r.steps, now)
		case ">":
			path, body, _ := strings.Cut(rest, " ")
			now.exchanges = append(now.exchanges, exchange{path: path, request: body})
		case "<":
			code, kind, _ := strings.Cut(rest, " ")
			last := &now.exchanges[len(now.exchanges)-1]
			last.kind = kind
			if last.code, err = strconv.Atoi(code); err != nil {
				t.Fatalf("%s:%d: %v", file, i+1, err)
			}
		case "|":
			now.exchanges[len(now.exchanges)-1].body += rest + "\n"
		case "=":
			now.result = rest
		default:
			t.Fatalf("%s:%d: %q", file, i+1, line)
		}
	}
	return r
}

// player answers as the recorded plugin did, in the order of the recording.
type player struct {
	t    *testing.T
	mu   sync.Mutex
	left []exchange
}

func (p *player) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if r.Method != http.MethodPost || r.Header.Get("Accept") != mediaType || r.Header.Get("Content-Type") != mediaType {
		p.t.Errorf("%s %s has the header %v", r.Method, r.URL.Path, r.Header)
	}
	if len(p.left) == 0 {
		p.t.Errorf("nobody expected %s %s", r.URL.Path, body)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := p.left[0]
	p.left = p.left[1:]
	if e.path != r.URL.Path || !sameJSON(e.request, string(body)) {
		p.t.Errorf("%s %s came, and %s %s was expected", r.URL.Path, body, e.path, e.request)
	}
	w.Header().Set("Content-Type", e.kind)
	w.WriteHeader(e.code)
	_, _ = io.WriteString(w, e.body)
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func play(t *testing.T, r recording, dir string) {
	d := places(t)
	p := &player{t: t}
	serveHTTP(t, p, filepath.Join(d.Sockets[0], "recorded.sock"))
	var driver volumes.Driver
	for _, s := range r.steps {
		p.mu.Lock()
		p.left = s.exchanges
		p.mu.Unlock()
		got := ""
		if s.call[0] == "find" {
			found, err := Find(t.Context(), "recorded", In(d), Patience(0))
			driver, got = found, outcomeOf("ok", err)
		} else {
			got = do(t.Context(), driver, s.call)
		}
		got = strings.ReplaceAll(got, dir, "$DIR")
		if want := strings.ReplaceAll(s.result, dir, "$DIR"); got != want {
			t.Errorf("line %d: call %s\n gives %s\n want  %s", s.line, strings.Join(s.call, " "), got, want)
		}
		p.mu.Lock()
		if len(p.left) > 0 {
			t.Errorf("line %d: call %s: %d requests never came", s.line, strings.Join(s.call, " "), len(p.left))
		}
		p.mu.Unlock()
	}
}

// do calls a driver as a line of a recording says.
func do(ctx context.Context, d volumes.Driver, call []string) string {
	name, rest := "", []string(nil)
	if len(call) > 1 {
		name, rest = call[1], call[2:]
	}
	switch call[0] {
	case "scope":
		scope, err := d.Scope(ctx)
		return outcomeOf(scope, err)
	case "create":
		var options map[string]string
		for _, o := range rest {
			if options == nil {
				options = map[string]string{}
			}
			k, v, _ := strings.Cut(o, "=")
			options[k] = v
		}
		return outcomeOf("ok", d.Create(ctx, name, options))
	case "get":
		info, err := d.Get(ctx, name)
		return outcomeOf(show(info), err)
	case "list":
		infos, err := d.List(ctx)
		shown := []string{}
		for _, i := range infos {
			shown = append(shown, show(i))
		}
		return outcomeOf("["+strings.Join(shown, ", ")+"]", err)
	case "mount":
		at, err := d.Mount(ctx, name, rest[0])
		return outcomeOf(at, err)
	case "unmount":
		return outcomeOf("ok", d.Unmount(ctx, name, rest[0]))
	case "remove":
		return outcomeOf("ok", d.Remove(ctx, name))
	}
	return "no such call"
}

func show(i volumes.Info) string {
	made := ""
	if !i.CreatedAt.IsZero() {
		made = i.CreatedAt.UTC().Format(" 2006-01-02")
	}
	status := ""
	if len(i.Status) > 0 {
		status = fmt.Sprintf(" %v", i.Status)
	}
	return fmt.Sprintf("%s@%s%s%s", i.Name, i.Mountpoint, made, status)
}

// outcomeOf says of which kind an error is, and what it says.
func outcomeOf(fine string, err error) string {
	var reply *ReplyError
	switch {
	case err == nil:
		return fine
	case volumes.IsNotFound(err):
		return "not found"
	case refusal(err) != nil:
		return "refused: " + refusal(err).Text
	case errors.As(err, &reply):
		return "bad reply: " + reply.What
	}
	return "error: " + err.Error()
}
