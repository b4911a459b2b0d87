package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// programWorkloads are other people's programs, doing what they are for.
func programWorkloads() []Workload {
	return []Workload{
		{Name: "git", What: "git clone of a repository in the lower tree, and git status", lowers: []string{"repository", "base"},
			tools: []string{"git"}, writes: true, before: warmLowers, run: gitClone},
		{Name: "dbench", What: "dbench with four clients, as seconds for 1 GiB", Unit: "s/GiB", tools: []string{"dbench"}, writes: true, run: dbench},
		{Name: "dpkg", What: "dpkg installs a package of many files in the root file system", files: []string{"package"},
			tools: []string{"dpkg"}, writes: true, before: warmLowers, check: wants("var/lib/dpkg/status"), run: dpkg},
		{Name: "perl", What: "perl of the root file system started again and again, with modules", before: warmLowers,
			check: wants("usr/bin/perl"), run: perl},
		{Name: "go-build", What: "go build, with compiler, sources and cache in the mount", lowers: []string{"goroot", "base"},
			writes: true, before: warmLowers, run: goBuild},
		{Name: "sqlite", What: "sqlite inserts, each its own synced transaction", tools: []string{"sqlite3"}, writes: true, run: sqlite},
		{Name: "container", What: "a container started, running true, and removed", files: []string{"image"}, engine: true,
			check: wants("bin/true"), run: containers},
	}
}

// wants is a check that the lower tree has a file.
func wants(name string) func(lowers []string, oneID bool) string {
	return func(lowers []string, _ bool) string {
		for _, dir := range lowers {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return ""
			}
		}
		return "the lower tree has no " + name
	}
}

func gitClone(b *Bed) error {
	if err := b.tool("git", "-c", "safe.directory=*", "clone", "-q", "--no-hardlinks", b.path("repository"), b.path("clone")); err != nil {
		return err
	}
	return b.tool("git", "-c", "safe.directory=*", "-C", b.path("clone"), "status", "--porcelain")
}

// dbench runs for a time and tells what it moved.
func dbench(b *Bed) error {
	seconds := strconv.Itoa(b.size("dbench"))
	out, err := b.command("dbench", "-t", seconds, "-D", b.root, "4").Output()
	if err != nil {
		return fmt.Errorf("dbench: %w%s", err, tail(string(out)))
	}
	rate, err := dbenchRate(string(out))
	if err != nil {
		return err
	}
	b.measured(1024 / rate)
	return nil
}

// dbenchRate reads "Throughput 123.45 MB/sec …".
func dbenchRate(out string) (float64, error) {
	_, rest, found := strings.Cut(out, "Throughput ")
	word, _, _ := strings.Cut(rest, " ")
	rate, err := strconv.ParseFloat(word, 64)
	if !found || err != nil || rate <= 0 {
		return 0, fmt.Errorf("dbench told no throughput%s", tail(out))
	}
	return rate, nil
}

// dpkg unpacks and sets up as it does on every Debian; only what the package
// depends on isn't asked for.
func dpkg(b *Bed) error {
	cmd := b.command("dpkg", "--root="+b.root, "--force-depends", "--install", b.files["package"])
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	return runTool(cmd)
}

// perl gets its (empty) program from standard input: for -e it wants /dev/null,
// which trees like those of images don't have.
func perl(b *Bed) error {
	for range b.size("perl") {
		if err := b.tool("chroot", b.root, "/usr/bin/perl", "-MPOSIX", "-MFile::Spec", "-MList::Util"); err != nil {
			return err
		}
	}
	return nil
}

// goPackages are what is built, the first so many of them.
var goPackages = []string{"errors", "encoding/json", "text/template", "archive/tar", "go/types", "net/http"}

func goBuild(b *Bed) error {
	for _, dir := range []string{"go-cache", "go-tmp", "go-path"} {
		if err := os.Mkdir(b.path(dir), 0o755); err != nil {
			return err
		}
	}
	n := min(b.size("go-build"), len(goPackages))
	cmd := b.command(append([]string{b.path("bin/go"), "build"}, goPackages[:n]...)...)
	cmd.Dir = b.path("src")
	cmd.Env = append(os.Environ(), "GOROOT="+b.root, "GOCACHE="+b.path("go-cache"), "GOTMPDIR="+b.path("go-tmp"),
		"GOPATH="+b.path("go-path"), "GOFLAGS=", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	return runTool(cmd)
}

func sqlite(b *Bed) error {
	var script strings.Builder
	script.WriteString("create table t(n integer primary key, s text);\n")
	for i := range b.size("sqlite") {
		fmt.Fprintf(&script, "insert into t values (%d, 'some words to keep in row %d');\n", i, i)
	}
	cmd := b.command("sqlite3", "-bail", b.path("bench.db"))
	cmd.Stdin = strings.NewReader(script.String())
	return runTool(cmd)
}
