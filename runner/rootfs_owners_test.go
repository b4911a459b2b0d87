package runner

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"unionfs/layerstore"
	"unionfs/runner/sandbox"
)

// inNamespace has this test program do something in a user namespace, where the
// kernel maps no mounts of others.
const inNamespace = "RUNNER_TEST_ROOTFS"

// TestOwnersInPlace: to who isn't the machine's root a directory is shown as it
// is, and refused where nobody in the container would own it.
func TestOwnersInPlace(t *testing.T) {
	if os.Getenv(inNamespace) != "" {
		ownersInPlace(t)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestOwnersInPlace$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	if initial, _ := readMaps(); initial {
		self := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER, UidMappings: self(os.Geteuid()), GidMappings: self(os.Getegid()),
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "both were told apart") {
		t.Errorf("%v\n%s", err, out)
	}
}

func ownersInPlace(t *testing.T) {
	dir := t.TempDir()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c := Container{Snapshot: layerstore.Snapshot{Base: dir}, Spec: Spec{Rootfs: dir, UserMode: "auto"}}
	maps := func(uid, gid int) sandbox.IDMaps {
		return sandbox.IDMaps{UIDs: []sandbox.IDRange{{Inside: 7, Host: uid, Count: 1}}, GIDs: []sandbox.IDRange{{Inside: 7, Host: gid, Count: 1}}}
	}
	if err := c.showInPlace(root, maps(os.Geteuid(), os.Getegid())); err != nil {
		t.Errorf("its owner is in the container: %v", err)
	}
	for _, others := range []sandbox.IDMaps{maps(os.Geteuid()+1, os.Getegid()), maps(os.Geteuid(), os.Getegid()+1)} {
		err := c.showInPlace(root, others)
		want := fmt.Sprintf("--userns=auto: %s is nobody's", dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--rootfs "+dir+":O") {
			t.Errorf("%s: %v, want %q", others, err, want)
		}
	}
	fmt.Println("both were told apart")
}
