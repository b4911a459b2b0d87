package plugin

import (
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func mode(t *testing.T, file string) string {
	t.Helper()
	info, err := os.Lstat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().String()
}

func TestSocketModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made/plugins")
	path := filepath.Join(dir, "p.sock")
	s, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	if m := mode(t, path); m != "Srw-------" {
		t.Errorf("the socket is %s", m)
	}
	if m := mode(t, dir); m != "drwx------" {
		t.Errorf("its folder is %s", m)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != ".p.sock.lock" {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestSocketOfGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "plugins")
	path := filepath.Join(dir, "p.sock")
	s, err := Listen(path, os.Getegid())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if m := mode(t, path); m != "Srw-rw----" {
		t.Errorf("the socket is %s", m)
	}
	if m := mode(t, dir); m != "drwxr-x---" {
		t.Errorf("its folder is %s", m)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sock")
	deadSocket(t, path)
	if err := os.Mkdir(filepath.Dir(path)+"/.p.sock.123", 0o700); err != nil { // of a start that was killed
		t.Fatal(err)
	}
	s, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if left, _ := filepath.Glob(filepath.Dir(path) + "/.p.sock.[0-9]*"); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}

func TestLiveSocketStays(t *testing.T) {
	dir := t.TempDir()
	ours, other := filepath.Join(dir, "ours.sock"), filepath.Join(dir, "other.sock")
	s, err := Listen(ours, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := net.Listen("unix", other)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{ours, other} {
		if second, err := Listen(path, NoGroup); err == nil || !strings.Contains(err.Error(), "another server listens at "+path) {
			t.Errorf("a second listens: %v, %v", second, err)
		}
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatalf("the first is gone: %v", err)
		}
		_ = conn.Close()
	}
}

// TestSuccessorStays: who closes late doesn't remove the socket of the next.
func TestSuccessorStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.sock")
	s, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	deadSocket(t, path)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

func TestBadSockets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "text")
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"p.sock":                       "no absolute path",
		file:                           "is no socket",
		filepath.Join(file, "p.sock"):  "no directory",
		filepath.Join(open, "p.sock"):  "can be written by others",
		"/" + strings.Repeat("a", 107): "too long",
	} {
		if s, err := Listen(path, NoGroup); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "text" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if err := os.Chmod(open, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(filepath.Join(open, "p.sock"), NoGroup)
	if err != nil {
		t.Fatalf("in a folder like /tmp: %v", err)
	}
	_ = s.Close()
}

func TestLongFolder(t *testing.T) {
	// The name that is bound for a moment would be too long.
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("a", pathLimit-len(dir)-1-len(".sock"))+".sock")
	s, err := Listen(path, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

func TestSpecFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "etc/p.spec")
	for range 2 { // what an earlier server left is ours
		remove, err := WriteSpec(file, "/run/p.sock")
		if err != nil {
			t.Fatal(err)
		}
		if a, err := consider(file); err != nil || a.target != "/run/p.sock" {
			t.Errorf("%+v, %v", a, err)
		}
		defer func() {
			if err := remove(); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := WriteSpec(file, "/run/other.sock"); err == nil {
		t.Error("another's file is overwritten")
	}
	if _, err := WriteSpec(strings.TrimSuffix(file, ".spec"), "/run/p.sock"); err == nil {
		t.Error("a file is written that nobody looks at")
	}
	if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) != 1 {
		t.Errorf("there are %v", entries)
	}
}
