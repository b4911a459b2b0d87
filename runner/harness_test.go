package runner

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/fstest"
	"unionfs/layerstore"
	"unionfs/runner/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.PassGate()
	actAsMonitor()
	os.Exit(m.Run())
}

// monitorEnv names the store and the container whose monitor this process is to
// be.
const monitorEnv = "_UNIONFS_TEST_MONITOR"

func actAsMonitor() {
	root, id, ok := strings.Cut(os.Getenv(monitorEnv), ":")
	if !ok {
		return
	}
	s, err := layerstore.Open(root)
	if err == nil {
		r := runnerOf(s)
		var c Container
		if c, err = r.Find(id); err == nil {
			_, err = r.Monitor(context.Background(), &c, MonitorOptions{Started: func(Program) { os.Stdout.WriteString("started\n") }})
		}
	}
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	os.Exit(0)
}

func runnerOf(s *layerstore.Store) *Runner {
	return &Runner{Store: s, Driver: "union", RunDir: filepath.Join(filepath.Dir(s.Root()), "run"), Warn: func(string) {}}
}

// newRunner keeps containers in a new store, which has the image "box".
func newRunner(t *testing.T) *Runner {
	t.Helper()
	needContainers(t)
	dir, err := os.MkdirTemp("", "r") // short, since it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := layerstore.Open(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	addBox(t, s)
	return runnerOf(s)
}

// needContainers asks for what a monitor in this process needs.
func needContainers(t *testing.T) {
	t.Helper()
	fstest.NeedFUSE(t)
	lacking := ""
	if unix.Geteuid() != 0 {
		lacking = "root, of whatever user namespace"
	} else if _, err := os.Stat(busybox); err != nil {
		lacking = busybox + " (Debian's busybox-static)"
	}
	switch {
	case lacking == "":
	case os.Getenv("CI") != "":
		t.Fatalf("needed in CI: %s", lacking)
	default:
		t.Skipf("needs %s", lacking)
	}
}

const busybox = "/bin/busybox"

// addBox makes an image of busybox.
func addBox(t *testing.T, s *layerstore.Store) {
	t.Helper()
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "sys/", "tmp/"} {
		must(t, w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	must(t, w.WriteHeader(&tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))}))
	_, err = w.Write(program)
	must(t, err)
	for _, name := range strings.Fields("sh true sleep cat kill ls id mkdir") {
		must(t, w.WriteHeader(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}))
	}
	must(t, w.Close())
	st, err := s.Begin()
	must(t, err)
	defer st.Close()
	layer, err := st.AddTar(t.Context(), func(out io.Writer) error {
		_, err := out.Write(text.Bytes())
		return err
	})
	must(t, err)
	name, err := layerstore.Normalize("box")
	must(t, err)
	_, err = st.Commit(nil, layer, layerstore.CommitOptions{Names: []string{name}})
	must(t, err)
}

// startMonitor runs a container's monitor in a process of its own.
func startMonitor(t *testing.T, r *Runner, c *Container) (cmd *exec.Cmd, out io.Reader) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), monitorEnv+"="+r.Store.Root()+":"+c.ID)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return cmd, out
}

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// within waits for something to come true.
func within(d time.Duration, done func() bool) bool {
	for end := time.Now().Add(d); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
