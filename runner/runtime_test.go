package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What runtimes say of a program that can't be run is docker's exit status.
func TestRuntimeErrors(t *testing.T) {
	for words, code := range map[string]int{
		`runc create failed: unable to start container process: exec: "no": executable file not found in $PATH`:   127,
		`runc create failed: unable to start container process: exec: "/no": stat /no: no such file or directory`: 127,
		`runc create failed: unable to start container process: exec: "/etc": permission denied`:                  126,
		"executable file `no` not found in $PATH: No such file or directory":                                      127,
		"open executable: Operation not permitted":                                                                126,
		"mount `proc` to `proc`: Operation not permitted":                                                         125,
		"rootfs: no such file or directory":                                                                       125,
	} {
		r := runtimeCommand{Path: "/usr/bin/runc", Dir: t.TempDir()}
		log := filepath.Join(r.Dir, "log")
		text := `{"level":"warning","msg":"exec: no such file or directory"}` + "\n" + `{"level":"error","msg":` + quoted(words) + "}\nno json\n"
		if err := os.WriteFile(log, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := r.failure(log, "create", errors.New("exit status 1"))
		if n := news(err); n.Code != code || !strings.HasPrefix(n.Error, "runc create: ") || strings.Contains(n.Error, "failed") {
			t.Errorf("%s: got %+v, want %d", words, n, code)
		}
	}
}

func quoted(words string) string { return `"` + strings.ReplaceAll(words, `"`, `\"`) + `"` }

// A runtime that says nothing has failed all the same.
func TestSilentRuntime(t *testing.T) {
	r := runtimeCommand{Path: "/bin/false", ID: "x", Dir: t.TempDir()}
	if err := r.run("start", "x"); err == nil || err.Error() != "false start: exit status 1" || news(err).Code != 125 {
		t.Errorf("got %v", err)
	}
	if err := r.delete(nil); err != nil {
		t.Errorf("a container that isn't there: %v", err)
	}
}

func TestRuntimeIsChecked(t *testing.T) {
	for word, s := range map[string]Spec{
		"there is no such program": {Runtime: "no-runtime-of-this-name"},
		"--runtime=/etc":           {Runtime: "/etc"},
		"--init":                   {Runtime: "/bin/true", Init: true},
		"image-subpath":            {Runtime: "/bin/true", Mounts: []Mount{{Type: ImageMount, Source: "a", Target: "/a", Subpath: "b"}}},
	} {
		if err := s.checkRuntime(); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%+v: got %v", s, err)
		}
	}
	s := Spec{Runtime: "/bin/../bin/true"}
	if err := s.checkRuntime(); err != nil || s.Runtime != "/bin/true" {
		t.Errorf("got %v, %s", err, s.Runtime)
	}
}
