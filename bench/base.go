package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// generated says that the base tree is made up instead of a Debian's.
func (o *Options) generated() string {
	if o.Generate {
		return "as asked for"
	}
	if _, err := exec.LookPath("mmdebstrap"); err != nil {
		return "mmdebstrap isn't installed"
	}
	if os.Geteuid() != 0 {
		return "an ordinary user can't make a Debian root file system"
	}
	return ""
}

func baseKind(s *shed) string {
	if s.opts.generated() != "" {
		return "generated"
	}
	return "debian without devices " + s.opts.Release
}

// makeBase makes a Debian root file system, or where that can't be something
// of its shape.
func makeBase(ctx context.Context, s *shed, path string) error {
	if why := s.opts.generated(); why != "" {
		s.say("the lower tree is generated: %s", why)
		return generate(path, s.sizes["tree"])
	}
	argv := []string{"mmdebstrap", "--variant=minbase", "--include=perl"}
	options, err := aptOptions(ctx, s.dir)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(options) }()
	argv = append(argv, "--aptopt="+options, s.opts.Release, path)
	if s.opts.Mirror != "" {
		argv = append(argv, s.opts.Mirror)
	}
	if err := tool(ctx, "", argv...); err != nil {
		return fmt.Errorf("%w (--generate makes a tree without a network, --lower DIR takes yours)", err)
	}
	return emptyFolder(filepath.Join(path, "dev"))
}

// emptyFolder takes the device nodes away, as images have none: no user
// namespace may copy them.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		if err == nil {
			err = os.RemoveAll(filepath.Join(dir, entry.Name()))
		}
	}
	return err
}

// aptOptions is a file with how this machine's apt reaches its mirror.
func aptOptions(ctx context.Context, dir string) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		out = nil // no apt here: mmdebstrap goes without
	}
	var kept []string
	for _, line := range strings.Split(string(out), "\n") {
		name, _, _ := strings.Cut(strings.ToLower(line), " ")
		for _, end := range []string{"::proxy", "::cainfo", "::verify-peer", "::verify-host"} {
			if strings.HasPrefix(name, "acquire::http") && strings.HasSuffix(name, end) {
				kept = append(kept, line)
			}
		}
	}
	path := filepath.Join(dir, "apt.conf")
	return path, os.WriteFile(path, []byte(strings.Join(kept, "\n")+"\n"), 0o644)
}

// generate makes a tree of the shape that root file systems have: few deep
// directories, many small files, some big ones, links. It is the same tree
// every time.
func generate(root string, files int) error {
	random := rand.New(rand.NewPCG(3, 4))
	dirs := []string{"etc", "usr/bin", "usr/lib", "usr/share", "var/lib"}
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	for i := range files {
		if i%9 == 8 { // nine files a directory, as in a Debian
			dir := filepath.Join(dirs[random.IntN(len(dirs))], fmt.Sprintf("directory%d", i))
			if strings.Count(dir, "/") < 7 {
				dirs = append(dirs, dir)
				if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
					return err
				}
			}
		}
		if err := generateFile(root, dirs[random.IntN(len(dirs))], i, data, random); err != nil {
			return err
		}
	}
	return nil
}

func generateFile(root, dir string, i int, data []byte, random *rand.Rand) error {
	path := filepath.Join(root, dir, fmt.Sprintf("file%d", i))
	if i%12 == 11 {
		return os.Symlink(fmt.Sprintf("file%d", i-1), path)
	}
	size := 100 << random.IntN(9) // 100 bytes to 25 KB
	if i%50 == 0 {
		size = random.IntN(len(data))
	}
	size += random.IntN(size + 1)
	return os.WriteFile(path, data[:min(size, len(data))], 0o644)
}
