package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOrder puts a plugin at each place, from the last to the first: each in its
// turn is the one that is found.
func TestOrder(t *testing.T) {
	d, elsewhere := places(t), t.TempDir()
	places := d.candidates("p")
	if len(places) != 10 || !strings.HasSuffix(places[0], "run/p.sock") || !strings.HasSuffix(places[1], "run/p/p.sock") ||
		!strings.HasSuffix(places[2], "etc/p.spec") || !strings.HasSuffix(places[9], "lib/p/p.json") {
		t.Fatalf("the places are %v", places)
	}
	for i, place := range slices.Backward(places) {
		if err := os.MkdirAll(filepath.Dir(place), 0o700); err != nil {
			t.Fatal(err)
		}
		socket := filepath.Join(elsewhere, string(rune('a'+i)))
		switch filepath.Ext(place) {
		case ".sock":
			socket = place
			deadSocket(t, place)
		case ".spec":
			write(t, place, "  unix://"+socket+"\n")
		case ".json":
			write(t, place, `{"Name":"other","Addr":"unix://`+socket+`"}`)
		}
		a, err := d.search("p")
		if err != nil || a.target != socket || a.file != place || a.network != "unix" {
			t.Errorf("with %s: %+v, %v", place, a, err)
		}
	}
	if names := d.Names(); !slices.Equal(names, []string{"p"}) {
		t.Errorf("the plugins are %v", names)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNoSocket: Docker passes over a file that is none.
func TestNoSocket(t *testing.T) {
	d := places(t)
	write(t, filepath.Join(d.Sockets[0], "p.sock"), "text")
	write(t, filepath.Join(d.Specs[1], "p.spec"), "tcp://localhost:7000")
	a, err := d.search("p")
	if err != nil || a.network != "tcp" || a.target != "localhost:7000" || a.secure != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"unix:///run/a.sock":                 "unix /run/a.sock",
		"unix:///run/../run//a.sock":         "unix /run/a.sock",
		"tcp://127.0.0.1:7000":               "tcp 127.0.0.1:7000",
		"http://storage/docker":              "tcp storage:80",
		"https://storage.example.com/plugin": "tcp storage.example.com:443 encrypted",
		"https://[::1]:8443":                 "tcp [::1]:8443 encrypted",
		"unix://run/a.sock":                  "begins with a slash",
		"unix:run/a.sock":                    "begins with a slash",
		"/run/a.sock":                        "is no address of a plugin",
		"":                                   "is no address of a plugin",
		"npipe:////./pipe/a":                 "is no address of a plugin",
		"tcp://":                             "names no host and port",
		"tcp://host":                         "names no host and port",
		"https://:443":                       "names no host and port",
		"tcp://%zz":                          "invalid URL escape",
	} {
		a, err := parseAddress("/etc/docker/plugins/a.spec", text, nil)
		got := a.network + " " + a.target
		if a.secure != nil {
			got += " encrypted"
		}
		if err != nil {
			got = err.Error()
			if !strings.HasPrefix(got, "/etc/docker/plugins/a.spec: ") {
				t.Errorf("%q: %s doesn't name the file", text, got)
			}
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q is %s, not %s", text, got, want)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	for name, c := range map[string]struct{ ending, text, want string }{
		"no json":    {".json", `unix:///run/a.sock`, "invalid character"},
		"no address": {".json", `{"Name":"p"}`, "no address of a plugin"},
		"no CA":      {".json", `{"Addr":"https://a","TLSConfig":{"CAFile":"/nowhere/ca.pem"}}`, "/nowhere/ca.pem"},
		"endless":    {".spec", strings.Repeat("a", specLimit+1), "longer than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			d := places(t)
			file := filepath.Join(d.Specs[0], "p"+c.ending)
			write(t, file, c.text)
			// No waiting makes it better.
			_, err := Find(t.Context(), "p", In(d))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) && c.ending == ".json" {
				t.Errorf("the error is: %v", err)
			}
		})
	}
}

// TestNames: no name leads out of a directory, of plugins or of volumes.
func TestNames(t *testing.T) {
	d := places(t)
	serve(t, &Server{Driver: newFolders(t)}, filepath.Join(d.Sockets[0], "ours.sock"))
	for _, name := range []string{"", ".", "..", "../ours", "run/ours", "/ours", ".hidden", "vieux/sshfs", "sshfs:latest", "a\x00b", "a\nb", strings.Repeat("a", 300)} {
		if _, err := Find(t.Context(), name, In(d)); err == nil {
			t.Errorf("a plugin is named %q", name)
		}
	}
	driver := find(t, d, "ours")
	for _, name := range []string{"", ".", "..", "../up", "a/b", "/etc", "a\x00b", "a\x1b[31m", "\xff", strings.Repeat("a", 300)} {
		if err := driver.Create(t.Context(), name, nil); err == nil {
			t.Errorf("Create of %q", name)
		}
		if _, err := driver.Get(t.Context(), name); err == nil {
			t.Errorf("Get of %q", name)
		}
		if _, err := driver.Mount(t.Context(), name, "1"); err == nil {
			t.Errorf("Mount of %q", name)
		}
		if err := driver.Unmount(t.Context(), name, "1"); err == nil {
			t.Errorf("Unmount of %q", name)
		}
		if err := driver.Remove(t.Context(), name); err == nil {
			t.Errorf("Remove of %q", name)
		}
	}
	if _, err := driver.Mount(t.Context(), "data", ""); err == nil {
		t.Error("Mount without an id")
	}
}

// TestOwnFolder: a user's plugins are found, but root doesn't believe the
// environment of a user.
func TestOwnFolder(t *testing.T) {
	own := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", own)
	want := filepath.Join(own, "docker/plugins/p.sock")
	if got := DefaultSocket("p"); got != want {
		t.Errorf("the socket is %s, not %s", got, want)
	}
	if d := DefaultDirectories(); len(d.Sockets) != 2 || len(d.Specs) != 3 || d.Specs[1] != "/etc/docker/plugins" {
		t.Errorf("the directories are %+v", d)
	}
	for _, other := range []string{"", "relative", filepath.Join(own, "absent")} {
		t.Setenv("XDG_RUNTIME_DIR", other)
		if got := DefaultSocket("p"); got != "/run/docker/plugins/p.sock" {
			t.Errorf("with %q the socket is %s", other, got)
		}
	}
	if os.Geteuid() != 0 {
		t.Setenv("XDG_RUNTIME_DIR", "/") // root's
	} else if err := os.Chown(own, 65534, -1); err == nil {
		t.Setenv("XDG_RUNTIME_DIR", own)
	}
	if got := DefaultSocket("p"); got != "/run/docker/plugins/p.sock" {
		t.Errorf("with somebody else's folder the socket is %s", got)
	}
}

// TestNoVolumes: a plugin for networks is none for volumes.
func TestNoVolumes(t *testing.T) {
	d := places(t)
	serveHTTP(t, &player{t: t, left: []exchange{{activate.path, "{}", 200, "text/plain", `{"Implements":["NetworkDriver"]}`}}},
		filepath.Join(d.Sockets[0], "net.sock"))
	_, err := Find(t.Context(), "net", In(d))
	if err == nil || !strings.Contains(err.Error(), "NetworkDriver") {
		t.Errorf("the error is: %v", err)
	}
}
