package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

const (
	user     = "ann"
	password = "geheim:1"
)

// basicAuth lets only those in who know the password.
func basicAuth(w http.ResponseWriter, r *http.Request) bool {
	if u, p, ok := r.BasicAuth(); ok && u == user && p == password {
		return false
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
	w.WriteHeader(http.StatusUnauthorized)
	return true
}

// tokenAuth gives tokens to those who know the password (distribution's token
// authentication).
func tokenAuth(f *faulty) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/token" {
			if u, p, _ := r.BasicAuth(); u != user || p != password {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			_, _ = fmt.Fprintf(w, `{"token":"t-%s"}`, base64.URLEncoding.EncodeToString([]byte(strings.Join(r.URL.Query()["scope"], " ")))) // the client may hang up
			return true
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer t-")
		scope, _ := base64.URLEncoding.DecodeString(token)
		if ok && (r.URL.Path == "/v2/" || strings.Contains(string(scope), "repository:secret:")) {
			return false
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="%s/token",service="test"`, f.URL))
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

// dockerHome makes docker's folder this test's own.
func dockerHome(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("REGISTRY_AUTH_FILE", "")
	return dir
}

func TestLogin(t *testing.T) {
	for _, kind := range []string{"basic", "token"} {
		t.Run(kind, func(t *testing.T) {
			dir := dockerHome(t)
			r := startRegistry(t)
			img := smallImage(t, 1)
			img.put(t, r.host+"/secret:1")
			r.set(func() {
				r.before = basicAuth
				if kind == "token" {
					r.before = tokenAuth(r)
				}
			})
			ctx := context.Background()
			s := openStore(t)
			if _, err := Pull(ctx, s, r.host+"/secret:1", quick()); err == nil || !strings.Contains(err.Error(), "unionfs login "+r.host) {
				t.Errorf("without login: error %v", err)
			}
			if err := Login(ctx, r.host, user, "wrong", quick()); err == nil || !strings.Contains(err.Error(), "refuses this user name or password") {
				t.Errorf("wrong password: error %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "config.json")); err == nil {
				t.Error("a wrong password is kept")
			}
			if err := Login(ctx, r.host, user, password, quick()); err != nil {
				t.Fatal(err)
			}
			pull(t, s, r.host+"/secret:1", quick())
			holds(t, s, r.host+"/secret:1", img)
			push(t, s, r.host+"/secret:1", r.host+"/secret:2", quick())
			if was, err := Logout(r.host, quick()); err != nil || !was {
				t.Errorf("logout: %v, %v", was, err)
			}
			if was, err := Logout(r.host, quick()); err != nil || was {
				t.Errorf("second logout: %v, %v", was, err)
			}
			if _, err := Push(ctx, s, r.host+"/secret:1", r.host+"/secret:3", quick()); err == nil {
				t.Error("a push goes through after logout")
			}
		})
	}
}

// TestDockerConfig: what other programs keep in the file stays.
func TestDockerConfig(t *testing.T) {
	dir := dockerHome(t)
	elsewhere := filepath.Join(t.TempDir(), "dotfiles.json")
	before := `{"auths":{"other.example":{"auth":"b3RoZXI6eA==","extra":1}},"HttpHeaders":{"X":"y"},"unknown":[1,2],"detachKeys":"ctrl-e"}`
	if err := os.WriteFile(elsewhere, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "config.json")); err != nil {
		t.Fatal(err)
	}
	r := startRegistry(t)
	r.before = basicAuth
	if err := Login(context.Background(), "http://"+r.host+"/", user, password, quick()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(before), &want); err != nil {
		t.Fatal(err)
	}
	want["auths"].(map[string]any)[r.host] = map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("config is\n%v, want\n%v", got, want)
	}
	if fi, err := os.Lstat(elsewhere); err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := os.Readlink(filepath.Join(dir, "config.json")); err != nil {
		t.Errorf("the link is gone: %v", err)
	}
	if err := os.WriteFile(elsewhere, []byte(`{"auths":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Login(context.Background(), r.host, user, password, quick()); err == nil || !strings.Contains(err.Error(), "docker's config "+elsewhere) {
		t.Errorf("damaged config: error %v", err)
	}
}

// TestCredentialHelper: passwords go to the helper that docker's config names.
func TestCredentialHelper(t *testing.T) {
	dir := dockerHome(t)
	bin := t.TempDir()
	kept := filepath.Join(t.TempDir(), "kept")
	script := fmt.Sprintf(`#!/bin/sh
case $1 in
store) cat >%[1]s ;;
erase) cat >/dev/null; rm -f %[1]s ;;
get) cat >/dev/null; cat %[1]s 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
esac
`, kept)
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, config := range []string{`{"credsStore":"test"}`, `{"credsStore":"missing","credHelpers":{"HOST":"test"}}`} {
		r := startRegistry(t)
		img := smallImage(t, 1)
		img.put(t, r.host+"/x:1")
		r.set(func() { r.before = basicAuth })
		config = strings.ReplaceAll(config, "HOST", r.host)
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Login(context.Background(), r.host, user, password, quick()); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil || strings.Contains(string(raw), base64.StdEncoding.EncodeToString([]byte(user+":"+password))) {
			t.Errorf("the password is in the file: %s, %v", raw, err)
		}
		pull(t, openStore(t), r.host+"/x:1", quick())
		if was, err := Logout(r.host, quick()); err != nil || !was {
			t.Errorf("logout: %v, %v", was, err)
		}
		if _, err := os.Stat(kept); err == nil {
			t.Error("the helper still has the password")
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credsStore":"missing"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startRegistry(t)
	r.before = basicAuth
	if err := Login(context.Background(), r.host, user, password, quick()); err == nil || !strings.Contains(err.Error(), "docker-credential-missing, which isn't installed") {
		t.Errorf("missing helper: error %v", err)
	}
}

// TestPodmanAuth: podman's files count after docker's, the nearest key first.
func TestPodmanAuth(t *testing.T) {
	dir := dockerHome(t)
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	encoded := func(word string) string { return base64.StdEncoding.EncodeToString([]byte(word)) }
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(run, "containers/auth.json"), fmt.Sprintf(`{"auths":{
		"quay.io":{"auth":%q},"quay.io/team":{"auth":%q},"docker.io":{"auth":%q},"both.example":{"auth":%q}}}`,
		encoded("all:1"), encoded("team:1"), encoded("hub:1"), encoded("podman:1")))
	write(filepath.Join(dir, "config.json"), fmt.Sprintf(`{"auths":{"both.example":{"auth":%q}}}`, encoded("docker:1")))
	for repo, want := range map[string]string{
		"quay.io/team/deep/x": "team", "quay.io/x": "all", "index.docker.io/library/x": "hub",
		"both.example/x": "docker", "none.example/x": "",
	} {
		at, err := name.NewRepository(repo)
		if err != nil {
			t.Fatal(err)
		}
		auth, err := DefaultKeychain.Resolve(at)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := authn.Authorization(context.Background(), auth)
		if err != nil || cfg.Username != want {
			t.Errorf("%s: user %q (%v), want %q", repo, cfg.Username, err, want)
		}
	}
}

func TestLoginWords(t *testing.T) {
	dockerHome(t)
	for _, c := range []struct{ server, user, password, error string }{
		{"127.0.0.1:1", "", "x", "a login needs a user name"},
		{"127.0.0.1:1", "a:b", "x", "a login needs a user name"},
		{"127.0.0.1:1", "a", "b", "127.0.0.1:1 refuses connections"},
		{"no host", "a", "b", `"no host" is no registry`},
	} {
		o := quick()
		o.Retries = -1
		if err := Login(context.Background(), c.server, c.user, c.password, o); err == nil || !strings.Contains(err.Error(), c.error) {
			t.Errorf("%v: error %v", c, err)
		}
	}
	for word, key := range map[string]string{
		"": authn.DefaultAuthKey, "docker.io": authn.DefaultAuthKey, "https://index.docker.io/v1/": authn.DefaultAuthKey,
		"quay.io": "quay.io", "https://quay.io/": "quay.io", "localhost:5000": "localhost:5000",
	} {
		reg, err := Options{}.server(word)
		if err != nil || configKey(reg) != key {
			t.Errorf("%q: key %q (%v), want %q", word, configKey(reg), err, key)
		}
	}
}

// Who says whom to be is nobody else, whatever login keeps.
func TestKeychains(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.json")
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	if err := os.WriteFile(file, []byte(`{"auths":{"one.test":{"auth":"`+auth+`"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	fromFile, err := FileKeychain(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		keys authn.Keychain
		host string
		want string
	}{
		{fromFile, "one.test", user},
		{fromFile, "two.test", ""},
		{UserKeychain(user, password), "two.test", user},
	} {
		repo, err := name.NewRepository(row.host + "/x")
		if err != nil {
			t.Fatal(err)
		}
		a, err := row.keys.Resolve(repo)
		if err != nil {
			t.Fatal(err)
		}
		if cfg, err := a.Authorization(); err != nil || cfg.Username != row.want {
			t.Errorf("%s: %+v, %v", row.host, cfg, err)
		}
	}
	if _, err := FileKeychain(file + ".missing"); err == nil {
		t.Error("a missing file is fine")
	}
}
