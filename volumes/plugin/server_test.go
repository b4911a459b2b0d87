package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"unionfs/volumes"
)

// talk sends a request as it stands and answers the reply's status and body.
func talk(t *testing.T, socket, raw string) string {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 404 && resp.StatusCode != 405 && kind != mediaType {
		t.Errorf("%q is answered with the type %q", raw, kind)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
}

// dockerd writes a request as dockerd 20.10 does, with its newline behind the
// JSON and nothing in Host; podman as podman 4.3 does.
func dockerd(call, body string) string {
	length := len(body)
	if body != "" {
		body += "\n"
		length = len(body)
	}
	return fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n\r\n%s", call, length, body)
}

func podman(call, body string) string {
	return fmt.Sprintf("POST /%s HTTP/1.1\r\nHost: plugin\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\nContent-Type: application/vnd.docker.plugins.v1.1+json\r\n\r\n%s", call, len(body), body)
}

const (
	dockerID = "69cbfb6640795b7ba448d6fb095faa5cb4d464e3b6f07948a7a4ea1394b8f42a"
	podmanID = "2f73349cfc4630255319c6c8dfc1b46a8996ace9d14d8e07563b165915918ec2"
)

// TestAsClientsSpeak replays what dockerd and podman were seen to send, each the
// life of a volume, the one within the other's.
func TestAsClientsSpeak(t *testing.T) {
	f := newFolders(t)
	socket := filepath.Join(t.TempDir(), "ours.sock")
	serve(t, &Server{Driver: f, Allowed: NoPaths()}, socket)
	absent := `500 {"Err":"no volume \"v1\": unionfs volume ls lists them"}`
	at := filepath.Join(f.base, "v1")
	fine := `200 {"Err":""}`
	for _, c := range []struct{ raw, want string }{
		{dockerd("Plugin.Activate", ""), `200 {"Implements":["VolumeDriver"]}`},
		{dockerd("VolumeDriver.Capabilities", "{}"), `200 {"Capabilities":{"Scope":"global"},"Err":""}`},
		{dockerd("VolumeDriver.List", "{}"), `200 {"Volumes":[],"Err":""}`},
		{dockerd("VolumeDriver.Get", `{"Name":"v1"}`), absent},
		{dockerd("VolumeDriver.Create", `{"Name":"v1","Opts":null}`), fine},
		{dockerd("VolumeDriver.Get", `{"Name":"v1"}`), `200 {"Volume":{"Name":"v1","CreatedAt":"2001-09-09T01:46:40Z","Status":{"uses":0}},"Err":""}`},
		{dockerd("VolumeDriver.Mount", `{"Name":"v1","ID":"`+dockerID+`"}`), `200 {"Mountpoint":"` + at + `","Err":""}`},

		{podman("Plugin.Activate", ""), `200 {"Implements":["VolumeDriver"]}`},
		{podman("VolumeDriver.Get", `{"Name":"v1"}`), `200 {"Volume":{"Name":"v1","Mountpoint":"` + at + `","CreatedAt":"2001-09-09T01:46:40Z","Status":{"uses":1}},"Err":""}`},
		{podman("VolumeDriver.Create", `{"Name":"v1","Opts":{"size":"1G"}}`), fine},
		{podman("VolumeDriver.Mount", `{"Name":"v1","ID":"`+podmanID+`"}`), `200 {"Mountpoint":"` + at + `","Err":""}`},
		{podman("VolumeDriver.Path", `{"Name":"v1"}`), `200 {"Mountpoint":"` + at + `","Err":""}`},
		{podman("VolumeDriver.List", ""), `200 {"Volumes":[{"Name":"v1","Mountpoint":"` + at + `","CreatedAt":"2001-09-09T01:46:40Z","Status":{"uses":2}}],"Err":""}`},
		{podman("VolumeDriver.Unmount", `{"Name":"v1","ID":"`+podmanID+`"}`), fine},
		{podman("VolumeDriver.Remove", `{"Name":"v1"}`), `500 {"Err":"volume \"v1\" is in use by [plugin-` + dockerID + `]: remove them first"}`},

		{dockerd("VolumeDriver.Unmount", `{"Name":"v1","ID":"`+dockerID+`"}`), fine},
		{dockerd("VolumeDriver.Remove", `{"Name":"v1"}`), fine},
		{dockerd("VolumeDriver.Get", `{"Name":"v1"}`), absent},
	} {
		if got := talk(t, socket, c.raw); got != c.want {
			t.Errorf("%q\n is answered with %s\n and not with    %s", c.raw, got, c.want)
		}
	}
}

// TestRefusals: what comes over the socket names volumes, and nothing else.
func TestRefusals(t *testing.T) {
	f := newFolders(t)
	dir := t.TempDir()
	socket, binds := filepath.Join(dir, "ours.sock"), filepath.Join(dir, "binds.sock")
	serve(t, &Server{Driver: f, Allowed: NoPaths()}, socket)
	serve(t, &Server{Driver: f, Allowed: NoPaths().WithBinds()}, binds)
	if err := f.Create(t.Context(), "v1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Mount(t.Context(), "v1", "container"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ socket, raw, want string }{
		{socket, podman("VolumeDriver.Create", `{"Name":"../v2"}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":"/etc"}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":".."}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":""}`), "500"},
		{socket, podman("VolumeDriver.Get", `{"Name":"../v1"}`), "500"},
		{socket, podman("VolumeDriver.Path", `{"Name":"../v1"}`), "500"},
		{socket, podman("VolumeDriver.Remove", `{"Name":"../v1"}`), "500"},
		{socket, podman("VolumeDriver.Mount", `{"Name":"../v1","ID":"1"}`), "500"},
		{socket, podman("VolumeDriver.Mount", `{"Name":"v1"}`), `500 {"Err":"volume \"v1\": a mount has no ID`},
		{socket, podman("VolumeDriver.Mount", `{"Name":"v1","ID":"../1"}`), "500"},
		{socket, podman("VolumeDriver.Mount", `{"Name":"v1","ID":"`+strings.Repeat("1", 200)+`"}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":"v2","Opts":{"type":"none","o":"bind","device":"/etc"}}`), `500 {"Err":"the option \"device\" is not accepted here: there are from, size"}`},
		{socket, podman("VolumeDriver.Create", `{"Name":"v2","Opts":{"from":"/etc"}}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":"v2","Opts":{"from":"a/../../b"}}`), "500"},
		{socket, podman("VolumeDriver.Create", `{"Name":"v2","Opts":{"from":"./b"}}`), "500"},
		{binds, podman("VolumeDriver.Create", `{"Name":"v2","Opts":{"uid":"0"}}`), "500"},
		{binds, podman("VolumeDriver.Create", `{"Name":"v3","Opts":{"type":"none","o":"bind","device":"/etc"}}`), `200 {"Err":""}`},

		{socket, podman("VolumeDriver.Create", `{"Name":7}`), "400 {\"Err\":"},
		{socket, podman("VolumeDriver.Create", `no json`), "400 {\"Err\":"},
		{socket, podman("VolumeDriver.Create", `{"Name":"`+strings.Repeat("a", requestLimit)+`"}`), "400 {\"Err\":"},
		{socket, podman("VolumeDriver.Format", `{"Name":"v1"}`), "404"},
		{socket, podman("", ``), "404"},
		{socket, strings.Replace(podman("VolumeDriver.Remove", `{"Name":"v1"}`), "POST", "GET", 1), "405"},
		// A container's use isn't a client's to end.
		{socket, podman("VolumeDriver.Unmount", `{"Name":"v1","ID":"container"}`), `200 {"Err":""}`},
	} {
		if got := talk(t, c.socket, c.raw); !strings.HasPrefix(got, c.want) {
			t.Errorf("%.200q\n is answered with %.300s\n and not with    %s", c.raw, got, c.want)
		}
	}
	if len(f.options) != 2 || !slices.Equal(f.uses["v1"], []string{"container"}) {
		t.Errorf("there are the volumes %v with the uses %v", f.options, f.uses)
	}
}

// slow takes its time to mount, and says when it began.
type slow struct {
	*folders
	began, proceed chan struct{}
}

func (s *slow) Mount(ctx context.Context, name, id string) (string, error) {
	close(s.began)
	<-s.proceed
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return s.folders.Mount(ctx, name, id)
}

// TestBegunIsFinished: neither a client that hangs up nor the server's end leave
// a mount half done.
func TestBegunIsFinished(t *testing.T) {
	s := &slow{newFolders(t), make(chan struct{}), make(chan struct{})}
	if err := s.Create(t.Context(), "v1", nil); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "ours.sock")
	l, err := Listen(socket, NoGroup)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Driver: s, Log: func(line string) { t.Log(line) }}).Serve(ctx, l) }()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, dockerd("VolumeDriver.Mount", `{"Name":"v1","ID":"1"}`)); err != nil {
		t.Fatal(err)
	}
	<-s.began
	_ = conn.Close()
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("the server ended before the mount: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(s.proceed)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !slices.Equal(s.uses["v1"], []string{"plugin-1"}) {
		t.Errorf("the uses are %v", s.uses)
	}
}

// broken is a driver that panics.
type broken struct{ *folders }

func (broken) List(context.Context) ([]volumes.Info, error) { panic("broken") }

// TestDriverPanics: one request fails, and the server says why and goes on.
func TestDriverPanics(t *testing.T) {
	d := places(t)
	said := make(chan string, 10)
	serve(t, &Server{Driver: broken{newFolders(t)}, Log: func(line string) { said <- line }}, filepath.Join(d.Sockets[0], "ours.sock"))
	found := find(t, d, "ours")
	if _, err := found.List(t.Context()); asLost(err) == nil {
		t.Errorf("List answers %v", err)
	}
	if line := <-said; !strings.Contains(line, "broken") {
		t.Errorf("the server says %q", line)
	}
	if err := found.Create(t.Context(), "v1", nil); err != nil {
		t.Error(err)
	}
}

// TestServerRestarts: uses are the driver's, so that a new server counts on.
func TestServerRestarts(t *testing.T) {
	d, f := places(t), newFolders(t)
	socket := filepath.Join(d.Sockets[0], "ours.sock")
	run := func(do func(volumes.Driver)) {
		l, err := Listen(socket, NoGroup)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- (&Server{Driver: f}).Serve(ctx, l) }()
		do(find(t, d, "ours"))
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run(func(d volumes.Driver) {
		check(d.Create(t.Context(), "v1", nil))
		at, err := d.Mount(t.Context(), "v1", "1")
		check(err)
		writable(t)(at)
	})
	run(func(d volumes.Driver) {
		if err := d.Remove(t.Context(), "v1"); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a volume that the first server mounted: %v", err)
		}
		_, err := d.Mount(t.Context(), "v1", "1") // the client may have missed the answer
		check(err)
		check(d.Unmount(t.Context(), "v1", "1"))
		check(d.Remove(t.Context(), "v1"))
	})
}

// TestManyClients: all at once, with one volume each and one together.
func TestManyClients(t *testing.T) {
	d, f := places(t), newFolders(t)
	serve(t, &Server{Driver: f}, filepath.Join(d.Sockets[0], "ours.sock"))
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			c, err := Find(t.Context(), "ours", In(d))
			if err != nil {
				t.Error(err)
				return
			}
			id := fmt.Sprint("use-", i)
			for _, name := range []string{"shared", fmt.Sprint("own-", i)} {
				created := c.Create(t.Context(), name, nil)
				_, mounted := c.Mount(t.Context(), name, id)
				if err := errors.Join(created, mounted, c.Unmount(t.Context(), name, id)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	if all, err := f.List(t.Context()); err != nil || len(all) != 21 {
		t.Errorf("there are %d volumes, %v", len(all), err)
	}
	for name, uses := range f.uses {
		if len(uses) != 0 {
			t.Errorf("%s is still used by %v", name, uses)
		}
	}
}
