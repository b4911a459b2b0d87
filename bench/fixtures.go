package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// fixture says how something that workloads start from is made.
type fixture struct {
	// size is the name of the size that it depends on.
	size string
	// extra is what else tells it apart.
	extra func(s *shed) string
	// from are the fixtures that it is made from.
	from []string
	// where tells of one that exists already; "" is to make it.
	where func(s *shed) string
	// stack says that it is a folder of layers.
	stack bool
	make  func(ctx context.Context, s *shed, path string) error
}

var fixtures map[string]fixture

func init() { // the table and what makes its rows speak of each other
	fixtures = map[string]fixture{
		"base":       {size: "tree", extra: baseKind, where: func(s *shed) string { return s.opts.Lower }, make: makeBase},
		"big":        {size: "big", make: makeBig},
		"archive":    {size: "untar", from: []string{"base"}, make: makeArchive},
		"image":      {from: []string{"base"}, make: makeImage},
		"repository": {size: "repository", from: []string{"base"}, make: makeRepository},
		"layers":     {size: "layers", from: []string{"base"}, stack: true, make: makeLayers("layers")},
		"many":       {size: "many", from: []string{"base"}, stack: true, make: makeLayers("many")},
		"inodes":     {size: "inodes", make: makeInodes},
		"goroot":     {where: goroot, make: noGo},
		"package":    {where: func(s *shed) string { return s.opts.Package }, make: fetchPackage},
	}
}

// tool runs a program that makes a fixture.
func tool(ctx context.Context, dir string, argv ...string) error {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	return runTool(cmd)
}

// makeBig writes bytes that no file system can shorten.
func makeBig(_ context.Context, s *shed, path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(path, bigName))
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), int64(s.sizes["big"])<<20)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// makeArchive packs the base tree, and parts of it again under other names
// until there are enough entries.
func makeArchive(ctx context.Context, s *shed, path string) error {
	list, err := os.CreateTemp(s.dir, "list")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(list.Name()) }()
	entries, err := listTree(s.made["base"].path, list, s.sizes["untar"])
	if cerr := list.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	pack := []string{"tar", "-C", s.made["base"].path, "--null", "--no-recursion", "-T", list.Name()}
	if err := tool(ctx, "", append(pack, "-cf", path)...); err != nil {
		return err
	}
	for again := 1; entries*again < s.sizes["untar"]; again++ {
		if err := tool(ctx, "", append(pack, fmt.Sprintf("--transform=s,^,again%d/,S", again), "-rf", path)...); err != nil {
			return err
		}
	}
	return nil
}

// listTree writes the names of at most n entries that anybody may make.
func listTree(dir string, to io.Writer, n int) (count int, err error) {
	w := bufio.NewWriter(to)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || path == dir || entry.Type()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
			return err
		case count == n:
			return fs.SkipAll
		}
		count++
		_, err = fmt.Fprintf(w, ".%s\x00", path[len(dir):])
		return err
	})
	if err != nil {
		return count, err
	}
	return count, w.Flush()
}

func makeImage(ctx context.Context, s *shed, path string) error {
	return tool(ctx, "", "tar", "-C", s.made["base"].path, "--exclude=./dev/*", "-cf", path, ".")
}

// makeRepository commits files of the base tree.
func makeRepository(ctx context.Context, s *shed, path string) error {
	repo := filepath.Join(path, "repository")
	if err := os.MkdirAll(repo, 0o755); err != nil {
		return err
	}
	if err := copySome(s.made["base"].path, repo, s.sizes["repository"]); err != nil {
		return err
	}
	for _, words := range [][]string{
		{"init", "-q"}, {"add", "-A", "-f"},
		{"-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "-q", "-m", "all"},
	} {
		if err := tool(ctx, repo, append([]string{"git"}, words...)...); err != nil {
			return err
		}
	}
	return nil
}

// copySome copies the first n small files, under the names that they have.
func copySome(from, to string, n int) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Size() > 256<<10 {
			return err
		}
		if n--; n < 0 {
			return fs.SkipAll
		}
		target := filepath.Join(to, path[len(from):])
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return copyFile(path, target)
	})
}

// makeLayers makes a stack over the base tree: each layer has files in the
// directories of all, as layers of images do, and a directory of its own.
func makeLayers(size string) func(context.Context, *shed, string) error {
	return func(_ context.Context, s *shed, path string) error {
		shared, err := directories(s.made["base"].path)
		if err != nil {
			return err
		}
		for i := range max(1, s.sizes[size]-1) {
			if err := makeLayer(filepath.Join(path, fmt.Sprintf("%03d", i)), i, shared); err != nil {
				return err
			}
		}
		return nil
	}
}

func makeLayer(dir string, number int, shared []string) error {
	places := []string{fmt.Sprintf("opt/layer%d", number), "etc"}
	for i := range 5 {
		place := shared[(number*13+i*101)%len(shared)]
		if strings.Count(place, "/") <= 4 {
			places = append(places, place)
		}
	}
	for _, place := range places {
		if err := os.MkdirAll(filepath.Join(dir, place), 0o755); err != nil {
			return err
		}
		for f := range 8 {
			name := filepath.Join(dir, place, fmt.Sprintf("layer%d-file%d", number, f))
			if err := os.WriteFile(name, []byte(name), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeInodes makes empty files, a thousand in a directory.
func makeInodes(ctx context.Context, s *shed, path string) error {
	for i := range s.sizes["inodes"] {
		dir := filepath.Join(path, "inodes", fmt.Sprintf("directory%d", i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("some-file-%d.txt", i)), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// goroot is the installed Go, which serves as a lower tree where it is.
func goroot(*shed) string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func noGo(context.Context, *shed, string) error { return fmt.Errorf("go isn't installed") }

// packageName is a Debian package of some two thousand files.
const packageName = "vim-runtime"

func fetchPackage(ctx context.Context, s *shed, path string) error {
	dir, err := os.MkdirTemp(s.dir, "download")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o777); err != nil { // apt fetches as a user of its own
		return err
	}
	if err := tool(ctx, dir, "apt-get", "-q", "download", packageName); err != nil {
		return err
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
	if len(debs) == 0 {
		return fmt.Errorf("apt-get download %s left no package", packageName)
	}
	return copyFile(debs[0], path)
}
