package registry

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// needProgram asks for a program; in CI its absence is a failure, since a
// suite that skips silently proves nothing.
func needProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") != "":
		t.Fatalf("needed in CI: the program %s", name)
	}
	t.Skipf("needs the program %s", name)
	return ""
}

// run runs a program and answers what it prints.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, errs.String())
	}
	return out.String()
}

// skopeo copies images with another implementation than ours.
func skopeo(t testing.TB, args ...string) string {
	t.Helper()
	return run(t, needProgram(t, "skopeo"), append([]string{"--insecure-policy", "--tmpdir", t.TempDir()}, args...)...)
}
