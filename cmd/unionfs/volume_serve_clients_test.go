package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lodge is a mount namespace of a test's own, in which "unionfs volume serve"
// and the programs that use it run: dockerd looks for plugins in /run/docker
// alone, and the machine may have one.
type lodge struct {
	t      *testing.T
	dir    string
	bin    string
	keeper *exec.Cmd
}

func newLodge(t *testing.T, needed ...string) *lodge {
	t.Helper()
	needFuse(t)
	needMachineRoot(t)
	for _, program := range append(needed, "unshare", "nsenter", "mount") {
		needProgram(t, program)
	}
	l := &lodge{t: t, dir: t.TempDir(), bin: programs(t)}
	// FUSE mounts of others, which come along, go: their servers would wait for our end.
	l.keeper = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-ec",
		"while read -r _ dir type _; do case $type in fuse.*) umount -l \"$dir\" || : ;; esac; done </proc/self/mounts 2>/dev/null; mkdir -p /run/docker; mount -t tmpfs -o mode=755 tmpfs /run/docker; echo ready; exec cat")
	hold, err := l.keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := l.keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hold.Close(); _ = l.keeper.Wait() })
	if _, err := io.ReadFull(ready, make([]byte, len("ready\n"))); err != nil {
		t.Fatalf("no mount namespace: %v", err)
	}
	return l
}

func needMachineRoot(t *testing.T) {
	t.Helper()
	if initial, err := condition("initial"); err != nil || !initial || os.Geteuid() != 0 {
		lackingHere(t, "root of the machine")
	}
}

func needProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		lackingHere(t, "the program "+name)
	}
}

func lackingHere(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needed in CI: %s", what)
	}
	t.Skipf("needs %s", what)
}

// command runs in the lodge.
func (l *lodge) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", l.keeper.Process.Pid), "--"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+l.bin+":"+os.Getenv("PATH")+":/usr/sbin:/sbin",
		"UNIONFS_CONFIG="+filepath.Join(l.dir, "config.toml"), "CONTAINERS_CONF="+filepath.Join(l.dir, "containers.conf"))
	return cmd
}

// daemon runs until the test ends, or until the answered function is called.
func (l *lodge) daemon(args ...string) (stop func()) {
	l.t.Helper()
	var said bytes.Buffer
	cmd := l.command(args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		if !timer.Stop() {
			l.t.Errorf("%s had to be killed", args[0])
		}
		var exit *exec.ExitError
		if l.t.Failed() || (err != nil && !errors.As(err, &exit)) {
			l.t.Logf("%s: %v\n%s", strings.Join(args, " "), err, said.String())
		}
	}
	l.t.Cleanup(stop)
	return stop
}

// run answers what a command says; it must succeed.
func (l *lodge) run(args ...string) string {
	l.t.Helper()
	out, err := l.try(args...)
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (l *lodge) try(args ...string) (string, error) {
	out, err := l.command(args...).CombinedOutput()
	return string(out), err
}

// refused is for commands that must fail, and say why.
func (l *lodge) refused(why string, args ...string) {
	l.t.Helper()
	if out, err := l.try(args...); err == nil || !strings.Contains(out, why) {
		l.t.Errorf("%s: %v, %q doesn't say %q", strings.Join(args, " "), err, out, why)
	}
}

// serve offers the volumes of the lodge's store.
func (l *lodge) serve() (stop func()) {
	l.t.Helper()
	text := fmt.Sprintf("root = %q\n", filepath.Join(l.dir, "store"))
	if err := os.WriteFile(filepath.Join(l.dir, "config.toml"), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	stop = l.daemon("unionfs", "volume", "serve")
	l.await("test", "-S", "/run/docker/plugins/unionfs.sock")
	return stop
}

func (l *lodge) await(args ...string) {
	l.t.Helper()
	if !eventually(func() bool { _, err := l.try(args...); return err == nil }) {
		out, err := l.try(args...)
		l.t.Fatalf("%s never succeeds: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// tiny is the tar of an image with a program or two.
func (l *lodge) tiny() string {
	l.t.Helper()
	root := filepath.Join(l.dir, "tiny")
	program, err := os.ReadFile(busyboxProgram)
	if err != nil {
		lackingHere(l.t, busyboxProgram)
	}
	for _, dir := range []string{"bin", "data", "proc", "sys", "dev", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "bin/busybox"), program, 0o755); err != nil {
		l.t.Fatal(err)
	}
	for _, name := range strings.Fields("sh cat ls dd sleep") {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "etc/release"), []byte("tiny\n"), 0o644); err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.dir, "tiny.tar")
	l.run("tar", "-C", root, "-cf", file, ".")
	return file
}

// TestVolumeServeDockerd: dockerd keeps its containers' data in our volumes.
func TestVolumeServeDockerd(t *testing.T) {
	l := newLodge(t, "dockerd", "docker")
	stop := l.serve()
	docker := []string{"docker", "-H", "unix://" + filepath.Join(l.dir, "d.sock")}
	l.daemon("dockerd", "--data-root", filepath.Join(l.dir, "docker"), "--exec-root", filepath.Join(l.dir, "exec"),
		"--pidfile", filepath.Join(l.dir, "pid"), "--host", "unix://"+filepath.Join(l.dir, "d.sock"),
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--bridge=none",
		"--storage-driver", "vfs", "--log-level", "warn", "--default-ulimit", "nofile=1024:1024")
	l.await(append(docker, "version")...)
	l.run(append(docker, "import", l.tiny(), "tiny")...)
	l.run("unionfs", "import", filepath.Join(l.dir, "tiny.tar"), "tiny")
	c := client{l, docker, []string{"volume", "create", "-d", "unionfs"}}
	c.life(stop)
	if refs := c.do("volume", "inspect", "-f", "{{.Driver}} {{.Scope}}", "kept"); refs != "unionfs local" {
		t.Errorf("dockerd says of the volume: %s", refs)
	}
	c.do("volume", "rm", "kept")
}

// TestVolumeServePodman: the same with podman.
func TestVolumeServePodman(t *testing.T) {
	l := newLodge(t, "podman", "runc")
	stop := l.serve()
	text := `[engine]
cgroup_manager="cgroupfs"
events_logger="file"
runtime="runc"
[engine.volume_plugins]
unionfs="/run/docker/plugins/unionfs.sock"
[containers]
log_driver="k8s-file"
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
`
	if err := os.WriteFile(filepath.Join(l.dir, "containers.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	podman := []string{"podman", "--root", filepath.Join(l.dir, "podman"), "--runroot", filepath.Join(l.dir, "runroot"),
		"--tmpdir", filepath.Join(l.dir, "tmp"), "--storage-driver", "vfs"}
	t.Cleanup(func() { _, _ = l.try(append(podman, "rm", "-fa", "-t", "0")...) })
	l.run(append(podman, "import", l.tiny(), "tiny")...)
	l.run("unionfs", "import", filepath.Join(l.dir, "tiny.tar"), "tiny")
	c := client{l, podman, []string{"volume", "create", "--driver", "unionfs"}}
	c.life(stop)
	c.do("volume", "rm", "kept")
}

// client is docker or podman.
type client struct {
	*lodge
	program, create []string
}

func (c *client) do(args ...string) string {
	c.t.Helper()
	return c.run(append(append([]string{}, c.program...), args...)...)
}

func (c *client) mustNot(why string, args ...string) {
	c.t.Helper()
	c.refused(why, append(append([]string{}, c.program...), args...)...)
}

func (c *client) volume(args ...string) string {
	c.t.Helper()
	return c.do(append(c.create, args...)...)
}

// shell runs a container with a volume at /data.
func (c *client) shell(volume, script string) string {
	c.t.Helper()
	return c.do("run", "--rm", "--network", "none", "-v", volume+":/data", "tiny", "/bin/sh", "-ec", script)
}

// life is what people do with volumes; it leaves the volume "kept".
func (c *client) life(stopServer func()) {
	c.t.Helper()
	c.volume("kept")
	if out := c.shell("kept", "echo text >/data/file; cat /data/file"); out != "text" {
		c.t.Errorf("a container reads %q", out)
	}
	if out := c.shell("kept", "cat /data/file"); out != "text" {
		c.t.Errorf("the next container reads %q", out)
	}
	if out := c.do("volume", "ls"); !strings.Contains(out, "unionfs") || !strings.Contains(out, "kept") {
		c.t.Errorf("volume ls says\n%s", out)
	}
	if out := c.run("unionfs", "volume", "ls"); !strings.Contains(out, "kept") {
		c.t.Errorf("unionfs volume ls says\n%s", out)
	}
	c.mustNot("is not accepted here", append(c.create, "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", "bind")...)
	c.mustNot("is a path", append(c.create, "-o", "from=/etc", "path")...)
	c.sized()
	c.clones()
	c.restart(stopServer)
}

// sized volumes are full where they said.
func (c *client) sized() {
	c.t.Helper()
	c.volume("-o", "size=4M", "small")
	out := c.shell("small", "dd if=/dev/zero of=/data/fits bs=1024 count=1024 2>&1; dd if=/dev/zero of=/data/big bs=65536 count=256 2>&1 || echo full")
	if !strings.HasSuffix(out, "full") || !strings.Contains(out, "No space left") {
		c.t.Errorf("a volume of 4 MiB takes more: %s", out)
	}
	c.do("volume", "rm", "small")
}

// clones begin with what an image or a volume has, and change nothing there.
func (c *client) clones() {
	c.t.Helper()
	c.volume("-o", "from=tiny", "layers")
	if out := c.shell("layers", "cat /data/etc/release; echo mine >/data/etc/release; cat /data/etc/release"); out != "tiny\nmine" {
		c.t.Errorf("a volume over an image reads %q", out)
	}
	c.volume("-o", "from=kept", "clone")
	if out := c.shell("clone", "cat /data/file; echo changed >/data/file"); out != "text" {
		c.t.Errorf("a clone reads %q", out)
	}
	if out := c.shell("kept", "cat /data/file"); out != "text" {
		c.t.Errorf("what the clone changed reads %q", out)
	}
	if out := c.shell("clone", "cat /data/file"); out != "changed" {
		c.t.Errorf("the clone, changed, reads %q", out)
	}
	c.do("volume", "rm", "layers", "clone")
}

// restart ends the server while a container uses a volume, which goes on, and
// is released by the next server.
func (c *client) restart(stopServer func()) {
	c.t.Helper()
	c.volume("-o", "size=4M", "busy")
	c.do("run", "-d", "--name", "user", "--network", "none", "-v", "busy:/data", "tiny",
		"/bin/sh", "-ec", "while :; do echo line >>/data/log; sleep 1; done")
	stopServer()
	c.do("exec", "user", "/bin/sh", "-ec", "echo between >/data/between")
	c.serve()
	if out := c.do("exec", "user", "cat", "/data/between"); out != "between" {
		c.t.Errorf("after the restart the container reads %q", out)
	}
	if out, err := c.try("unionfs", "volume", "rm", "busy"); err == nil {
		c.t.Errorf("a used volume is removed: %s", out)
	}
	c.do("kill", "user") // its shell doesn't hear a polite end
	c.do("rm", "-f", "user")
	if out := c.shell("busy", "cat /data/between"); out != "between" {
		c.t.Errorf("after the restart the next container reads %q", out)
	}
	c.do("volume", "rm", "busy")
}
