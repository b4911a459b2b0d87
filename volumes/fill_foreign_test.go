package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// foreignFiles is how many files a filling of these tests makes.
const foreignFiles = 300

func fillMany(dir int, foreign bool) (bool, error) {
	if !foreign {
		return false, errors.New("a plugin's volume is filled as if it were ours")
	}
	if err := unix.Mkdirat(dir, "sub", 0o750); err != nil {
		return false, err
	}
	for i := range foreignFiles {
		fd, err := unix.Openat(dir, fmt.Sprintf("sub/%d", i), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
		if err == nil {
			_ = unix.Close(fd)
			err = unix.Symlinkat("sub", dir, fmt.Sprint("to", i))
		}
		if err != nil {
			return false, err
		}
	}
	return true, unix.Fchmod(dir, 0o1777)
}

// checkMany fails unless dir has all of a filling, and nothing else.
func checkMany(t *testing.T, dir string) {
	t.Helper()
	names, err := namesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := namesIn(filepath.Join(dir, "sub"))
	if err != nil || len(names) != foreignFiles+1 || len(files) != foreignFiles {
		t.Errorf("there are %d names and %d files: %v", len(names), len(files), err)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("the root: %v, %v", fi.Mode(), err)
	}
}

func TestForeignFill(t *testing.T) {
	ctx := context.Background()
	d := newNoted(t)
	s := pluginStore(t, d)
	mustCreate(t, s, Request{Name: "v", Driver: "noted"})
	u := mustUse(t, s, "v", "1")
	failed := errors.New("no")
	if err := u.Fill(ctx, func(dir int, _ bool) (bool, error) {
		return true, errors.Join(unix.Mkdirat(dir, "half", 0o700), failed)
	}); !errors.Is(err, failed) {
		t.Errorf("a fill that fails: %v", err)
	}
	for range 2 { // an image without the directory leaves it to the next
		if err := u.Fill(ctx, func(int, bool) (bool, error) { return false, nil }); err != nil {
			t.Fatal(err)
		}
		if names, err := namesIn(d.dir); err != nil || len(names) > 0 {
			t.Fatalf("left there: %v, %v", names, err)
		}
	}
	if err := u.Fill(ctx, fillMany); err != nil {
		t.Fatal(err)
	}
	checkMany(t, d.dir)
	if err := os.Remove(filepath.Join(d.dir, "to7")); err != nil {
		t.Fatal(err)
	}
	if err := u.Fill(ctx, func(int, bool) (bool, error) { return false, errors.New("again") }); err != nil {
		t.Error(err)
	}
	release(t, u)
}

// TestForeignFillNotEmpty leaves alone what has files, or an empty directory.
func TestForeignFillNotEmpty(t *testing.T) {
	for _, name := range []string{"own", ".unionfs-fill.new-of-another-machine"} {
		d := newNoted(t)
		s := pluginStore(t, d)
		mustCreate(t, s, Request{Name: "v", Driver: "noted"})
		u := mustUse(t, s, "v", "1")
		if err := os.Mkdir(filepath.Join(d.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := u.Fill(context.Background(), fillMany); err != nil {
			t.Error(err)
		}
		if names, err := namesIn(d.dir); err != nil || !slices.Equal(names, []string{name}) {
			t.Errorf("there is %v, %v", names, err)
		}
		release(t, u)
	}
}

// TestForeignFillReadOnly goes on with a volume that can't be written.
func TestForeignFillReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root may write everywhere: see TestForeignFillNotEmpty")
		return
	}
	d := newNoted(t)
	s := pluginStore(t, d)
	mustCreate(t, s, Request{Name: "v", Driver: "noted"})
	u := mustUse(t, s, "v", "1")
	if err := os.Chmod(d.dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := u.Fill(context.Background(), fillMany); err != nil {
		t.Error(err)
	}
	release(t, u)
}

// fillerEnv has the test program fill a plugin's volume until it is killed.
const fillerEnv = "_VOLUMES_TEST_FILLER"

func fillForever(dirs string) {
	dir, data, _ := strings.Cut(dirs, "\n")
	s, err := Open(dir, Options{Plugin: func(context.Context, string) (Driver, error) {
		return &noted{dir: data, have: map[string]bool{"v": true}, uses: map[string]bool{}}, nil
	}})
	var u *Use
	if err == nil {
		u, err = s.Use(context.Background(), "v", "filler")
	}
	if err == nil {
		err = u.Fill(context.Background(), fillMany)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	time.Sleep(time.Hour)
}

// TestForeignFillKilled kills a process in the middle of filling a plugin's
// volume. The next use finds nothing of it, or all.
func TestForeignFillKilled(t *testing.T) {
	counts := map[string]int{}
	for round := range 40 {
		d := newNoted(t)
		s := pluginStore(t, d)
		mustCreate(t, s, Request{Name: "v", Driver: "noted"})
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fillerEnv+"="+s.Dir()+"\n"+d.dir)
		out := &strings.Builder{}
		cmd.Stdout = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); time.Since(begun) < 10*time.Second; {
			if names, _ := namesIn(d.dir); len(names) > 0 {
				break
			}
		}
		time.Sleep(time.Duration(round) * 300 * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if out.Len() > 0 {
			t.Fatal(out)
		}
		before, err := s.readMeta("v")
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case before.Filled:
			counts["done"]++
		case before.Foreign != nil && before.Foreign.Whole:
			counts["moving"]++
		default:
			counts["copying"]++
		}
		u := mustUse(t, s, "v", "next")
		if before.Filled || before.Foreign != nil && before.Foreign.Whole {
			checkMany(t, d.dir)
		} else if names, err := namesIn(d.dir); err != nil || len(names) > 0 {
			t.Errorf("half a filling is there: %v, %v", names, err)
		}
		if err := u.Fill(context.Background(), fillMany); err != nil {
			t.Error(err)
		}
		checkMany(t, d.dir)
		release(t, u)
	}
	t.Logf("killed while %v", counts)
	if counts["copying"] == 0 {
		t.Error("nobody was killed in the middle")
	}
}

// TestForeignRename moves what a file system can't move as a directory.
func TestForeignRename(t *testing.T) {
	from, to := strangeTree(t), t.TempDir()
	want := treeText(t, from)
	must(t, os.Mkdir(filepath.Join(to, "dir"), 0o700)) // half moved before
	must(t, merger{foreign: true}.emptied(from, to, true))
	// The hard link and the symlink have kept what they were.
	if got := treeText(t, to); got != want {
		t.Errorf("moved:\n%s\nwas:\n%s", got, want)
	}
}
