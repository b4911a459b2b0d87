package registry

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startDistribution starts the registry that most others descend from, and
// answers its address.
func startDistribution(t *testing.T) string {
	t.Helper()
	program := needProgram(t, "docker-registry")
	host := freeAddress(t)
	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %s, secret: test}\n", filepath.Join(dir, "data"), host)
	if err := os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", filepath.Join(dir, "config.yml"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()         // killed
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get("http://" + host + "/v2/")
		if err == nil {
			drain(res)
			return host
		}
		if time.Now().After(end) {
			t.Fatalf("docker-registry doesn't answer: %v", err)
		}
	}
}

// freeAddress is one of loopback that nobody listens at, for a program that takes no
// open socket. The kernel gives no such ports to others who ask for any: it takes
// theirs from ip_local_port_range (ip-sysctl.rst), which begins at 32768.
func freeAddress(t *testing.T) string {
	t.Helper()
	var failed error
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(22000)))
		if err != nil {
			failed = err
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatal(failed)
	return ""
}

// counted counts what is sent.
type counted struct{ uploads atomic.Int32 }

func (c *counted) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPatch {
		c.uploads.Add(1)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// TestDistribution: the same against a real registry, with skopeo as a witness.
func TestDistribution(t *testing.T) {
	host := startDistribution(t)
	s, images := stocked(t)
	for name, img := range images {
		push(t, s, name, host+"/first/"+name, quick())
		// The second repository gets the layers from the first.
		if err := s.Tag(name, host+"/first/"+name); err != nil {
			t.Fatal(err)
		}
		o, sent := quick(), &counted{}
		o.Transport = sent
		push(t, s, name, host+"/second/"+name, o)
		if n := sent.uploads.Load(); n != 1 {
			t.Errorf("%s: %d blobs were sent, and the config alone needs to be", name, n)
		}
		other := openStore(t)
		pull(t, other, host+"/second/"+name, quick())
		holds(t, other, host+"/second/"+name, img)
		sound(t, other)
		if got := skopeo(t, "inspect", "--tls-verify=false", "--raw", "docker://"+host+"/second/"+name); got != string(img.manifest) {
			t.Errorf("%s: the registry has manifest %s", name, got)
		}
	}
	// What skopeo pushes, we pull.
	skopeo(t, "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--preserve-digests",
		"docker://"+host+"/first/team/oci:2", "docker://"+host+"/third:1")
	other := openStore(t)
	pull(t, other, host+"/third:1", quick())
	holds(t, other, host+"/third:1", images["team/oci:2"])
}
