package fs

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/fs/union"
)

// A detached mount is in no table, can be put in a place, and its server ends
// with it.
func TestMountDetached(t *testing.T) {
	fstest.NeedFUSE(t)
	if unix.Geteuid() != 0 {
		t.Log("an ordinary user makes no detached mounts: that it is told so is what is tested")
		if _, _, err := MountDetached(Config{FD: -1, Union: union.Config{Lower: []string{t.TempDir()}}}); err == nil {
			t.Error("it was mounted")
		}
		return
	}
	lower, place := t.TempDir(), t.TempDir()
	if err := os.WriteFile(lower+"/f", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, mount, err := MountDetached(Config{FD: -1, Options: []string{"nosuid"}, Union: union.Config{Lower: []string{lower}}})
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(place); err != nil || len(entries) > 0 {
		t.Fatalf("before it is in its place: %v, %v", entries, err)
	}
	if err := unix.MoveMount(mount, "", unix.AT_FDCWD, place, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		t.Fatal(err)
	}
	if err := unix.Close(mount); err != nil {
		t.Fatal(err)
	}
	// By bare calls: the os package asks epoll about its files, with a
	// processor held that the server, which is this process, may need.
	var text [8]byte
	fd, err := unix.Open(place+"/f", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(fd, text[:]); err != nil || string(text[:n]) != "text" {
		t.Errorf("got %q, %v", text[:max(n, 0)], err)
	}
	if err := unix.Close(fd); err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(place, &st); err != nil || st.Flags&unix.ST_NOSUID == 0 || st.Flags&unix.ST_RDONLY == 0 {
		t.Errorf("flags %x, %v; want nosuid and read-only", st.Flags, err)
	}
	if err := unix.Unmount(place, 0); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("the server goes on without its mount")
	}
}
