package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/rogpeppe/go-internal/testscript"
)

// setUpStore gives a script a store of its own.
func setUpStore(env *testscript.Env) error {
	config := filepath.Join(env.WorkDir, "config.toml")
	env.Setenv("UNIONFS_CONFIG", config)
	run := filepath.Join(env.WorkDir, "run")
	env.Setenv("XDG_RUNTIME_DIR", run)
	if err := os.Mkdir(run, 0o700); err != nil {
		return err
	}
	return os.WriteFile(config, fmt.Appendf(nil, "root = %q\n", filepath.Join(env.WorkDir, "store")), 0o600)
}

// cmdRegistry starts a registry in this process for the rest of the script: its
// address is $REGISTRY, and mirror.toml makes it a mirror of registry.invalid.
func cmdRegistry(ts *testscript.TestScript, _ bool, _ []string) {
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	ts.Setenv("REGISTRY", host)
	text := fmt.Sprintf("root = %q\n[registries.\"registry.invalid\"]\nmirrors = [%q]\n", ts.MkAbs("store"), "http://"+host)
	ts.Check(os.WriteFile(ts.MkAbs("mirror.toml"), []byte(text), 0o600))
}
