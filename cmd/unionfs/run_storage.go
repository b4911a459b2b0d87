package main

import (
	"strings"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"

	"unionfs/runner"
)

// storageFlags are those about what a container's files are beside its image.
type storageFlags struct {
	volumes, mounts, tmpfs, options []string
}

func (f *storageFlags) add(flags *pflag.FlagSet, s *runner.Spec) {
	flags.StringArrayVarP(&f.volumes, "volume", "v", nil, "[SOURCE:]TARGET[:OPTIONS]: a volume by name, or a directory or file of this machine")
	flags.StringArrayVar(&f.mounts, "mount", nil, "type=bind|volume|tmpfs|image,source=SOURCE,target=TARGET[,KEY=VALUE…]")
	flags.StringArrayVar(&f.tmpfs, "tmpfs", nil, "TARGET[:OPTIONS]: files in memory")
	flags.StringArrayVar(&s.VolumesFrom, "volumes-from", nil, "CONTAINER[:ro|rw][,z|Z]: all volumes and binds that another container has")
	flags.StringVar(&s.VolumeDriver, "volume-driver", "", "what makes the volumes that aren't there: local (default), or a plugin by name")
	flags.StringArrayVar(&f.options, "storage-opt", nil, "size=BYTES: how much it may write to its root")
}

// readStorage reads the flags about storage, the first of which is the first to
// have a place.
func (r *runFlags) readStorage() error {
	f := &r.storage
	for _, kind := range []struct {
		flag  string
		words []string
		parse func(string) (runner.Mount, error)
	}{
		{"--volume", f.volumes, runner.ParseVolume}, {"--mount", f.mounts, runner.ParseMount}, {"--tmpfs", f.tmpfs, runner.ParseTmpfs},
	} {
		for _, word := range kind.words {
			m, err := kind.parse(word)
			if err != nil {
				return usagef("%s=%s: %v", kind.flag, word, err)
			}
			r.spec.Mounts = append(r.spec.Mounts, m)
		}
	}
	for _, word := range f.options {
		key, value, _ := strings.Cut(word, "=")
		n, err := units.RAMInBytes(value)
		if key != "size" || err != nil || n <= 0 {
			return usagef("--storage-opt=%s: size= and a size are expected, as in size=10g", word)
		}
		r.spec.RootSize = n
	}
	return nil
}
