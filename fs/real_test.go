package fs_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"unionfs/fs/fstest"
)

// needProgram asks for somebody else's program.
func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: %s", name)
	}
	t.Skipf("needs %s", name)
}

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@localhost", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@localhost")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// TestGit works on a repository of the lower layer and on a clone of it; the
// soak does the same with a large one.
func TestGit(t *testing.T) {
	needProgram(t, "git")
	layers := fstest.Layers{Lower: []string{"dir repo"}}
	at := layers.Dirs(t)
	repo := filepath.Join(at.Lower[0], "repo")
	for i := range 300 {
		if err := os.MkdirAll(filepath.Join(repo, fmt.Sprint("d", i%17)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, fmt.Sprint("d", i%17), fmt.Sprint(i)), fstest.RandomBytes(int64(i*97), int64(i)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, repo, "git", "init", "-q")
	run(t, repo, "git", "add", "-A")
	run(t, repo, "git", "commit", "-q", "-m", "one")
	m := newMount(t, fstest.Layers{At: &at})
	for range 2 {
		repo, clone := filepath.Join(m.Root(), "repo"), filepath.Join(m.Root(), "clone")
		run(t, m.Root(), "git", "clone", "-q", "--no-hardlinks", repo, clone)
		run(t, clone, "git", "fsck", "--full", "--strict")
		run(t, repo, "git", "mv", "d1", "moved")
		run(t, repo, "git", "commit", "-q", "-m", "two")
		run(t, repo, "git", "gc", "-q", "--prune=now")
		run(t, repo, "git", "fsck", "--full", "--strict")
		run(t, repo, "git", "mv", "moved", "d1")
		run(t, repo, "git", "commit", "-q", "-m", "back")
		if status := run(t, repo, "git", "status", "--porcelain"); status != "" {
			t.Errorf("git status: %s", status)
		}
		if err := os.RemoveAll(clone); err != nil {
			t.Fatal(err)
		}
		m.Remount(t)
	}
}

// TestSqlite lets two processes write one database, in both journal modes.
func TestSqlite(t *testing.T) {
	needProgram(t, "sqlite3")
	m := newMount(t, fstest.Layers{Lower: []string{""}})
	for _, mode := range []string{"delete", "wal"} {
		db := filepath.Join(m.Root(), mode+".db")
		run(t, "/", "sqlite3", db, "pragma journal_mode="+mode+"; create table t(who, n, v); create index i on t(v);")
		const work = "begin immediate; with recursive c(n) as (select 1 union all select n+1 from c where n<500) insert into t select '%s', n, hex(randomblob(40)) from c; delete from t where n%%3=0; commit;"
		done := make(chan error, 2)
		for _, who := range []string{"a", "b"} {
			go func() {
				for range 10 {
					if out, err := exec.Command("sqlite3", "-cmd", ".timeout 60000", db, fmt.Sprintf(work, who)).CombinedOutput(); err != nil {
						done <- fmt.Errorf("%w: %s", err, out)
						return
					}
				}
				done <- nil
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		m.Remount(t)
		if out := run(t, "/", "sqlite3", db, "pragma integrity_check; select count(*) from t;"); out != "ok\n6680\n" {
			t.Errorf("%s: %s", mode, out)
		}
	}
}
