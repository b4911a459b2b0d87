package volumes

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// localOptions are what the local driver's -o options mean.
type localOptions struct {
	// kernel is what mount(8) would be told; nil for a plain directory.
	kernel *kernelMount
	// size is -o size=, 0 without a limit.
	size int64
	// from is an image, or a volume and its snapshot.
	from string
}

// kernelMount is a mount of a file system, or of a directory (bind).
type kernelMount struct {
	fstype, device string
	bind, deep     bool
	// set are mount attributes (mount_setattr(2)); propagation is MS_SHARED …
	set         uint64
	propagation uint64
	// super are the options of the file system itself, in their order.
	super []superOption
}

type superOption struct{ key, value string }

// localKeys are the keys that -o may have for the local driver.
const localKeys = "type, device, o, size, from"

// BadOptionError names the option of -o that is wrong.
type BadOptionError struct{ Key, Why string }

func (e *BadOptionError) Error() string { return fmt.Sprintf("option %q: %s", e.Key, e.Why) }

func badOption(key, format string, args ...any) error {
	return &BadOptionError{key, fmt.Sprintf(format, args...)}
}

// parseLocal reads the local driver's options.
func parseLocal(options map[string]string) (localOptions, error) {
	var out localOptions
	for _, key := range slices.Sorted(maps.Keys(options)) {
		value := options[key]
		switch key {
		case "type", "device", "o":
		case "size":
			n, err := units.RAMInBytes(value)
			if err != nil || n <= 0 {
				return out, badOption(key, "%q is no size: a number with k, m, g or t is expected, as in size=10g", value)
			}
			out.size = n
		case "from":
			if value == "" {
				return out, badOption(key, "an image or a volume is expected, as in from=debian:12 or from=data@monday")
			}
			out.from = value
		default:
			return out, badOption(key, "the driver local doesn't know it: there are %s", localKeys)
		}
	}
	if options["type"] == "" && options["device"] == "" && options["o"] == "" {
		return out, nil
	}
	k, err := parseKernel(options["type"], options["device"], options["o"])
	out.kernel = k
	return out, err
}

// parseKernel reads what mount(8) would get as -t, its source and -o.
func parseKernel(fstype, device, o string) (*kernelMount, error) {
	k := &kernelMount{fstype: fstype, device: device}
	loop := false
	for word := range strings.SplitSeq(o, ",") {
		if word == "loop" {
			loop = true
			continue
		}
		if err := k.word(word); err != nil {
			return nil, err
		}
	}
	if fstype == "bind" || fstype == "rbind" {
		k.bind, k.deep = true, fstype == "rbind"
	}
	switch {
	case k.bind:
		if len(k.super) > 0 {
			return nil, badOption("o", "%q says nothing about a bind", k.super[0].key)
		}
		if !filepath.IsAbs(device) {
			return nil, badOption("device", "%q is no absolute path of what to bind", device)
		}
		return k, nil
	case fstype == "" || fstype == "none" || fstype == "auto":
		return nil, badOption("type", "a file system is expected, as in type=ext4, or o=bind for a directory of this machine")
	case device == "" && nodev(fstype):
		k.device = fstype
	case device == "":
		return nil, badOption("device", "say what to mount as %s", fstype)
	case loop && !filepath.IsAbs(device):
		return nil, badOption("device", "%q is no absolute path of a file", device)
	}
	return k, nil
}

// nodev are file systems whose source is only a word.
func nodev(fstype string) bool { return fstype == "tmpfs" || fstype == "ramfs" || fstype == "overlay" }

// attributes are mount(8)'s words for what is true of a mount and not of its
// file system; the opposites are the default.
var attributes = map[string]uint64{
	"ro": unix.MOUNT_ATTR_RDONLY, "nosuid": unix.MOUNT_ATTR_NOSUID, "nodev": unix.MOUNT_ATTR_NODEV,
	"noexec": unix.MOUNT_ATTR_NOEXEC, "noatime": unix.MOUNT_ATTR_NOATIME, "strictatime": unix.MOUNT_ATTR_STRICTATIME,
	"nodiratime": unix.MOUNT_ATTR_NODIRATIME, "nosymfollow": unix.MOUNT_ATTR_NOSYMFOLLOW,
}

var opposites = map[string]string{
	"rw": "ro", "suid": "nosuid", "dev": "nodev", "exec": "noexec", "atime": "noatime", "diratime": "nodiratime",
}

var propagations = map[string]uint64{
	"shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "private": unix.MS_PRIVATE, "unbindable": unix.MS_UNBINDABLE,
}

// word reads one word of o=.
func (k *kernelMount) word(word string) error {
	key, value, given := strings.Cut(word, "=")
	deep, isDeep := strings.CutPrefix(key, "r")
	switch {
	case word == "" || word == "defaults" || word == "relatime" || word == "silent" || word == "_netdev" || word == "nofail":
	case word == "bind" || word == "rbind":
		k.bind, k.deep = true, k.deep || word == "rbind"
	case attributes[word] != 0:
		k.set |= attributes[word]
	case opposites[word] != "":
		k.set &^= attributes[opposites[word]]
	case propagations[word] != 0:
		k.propagation = propagations[word]
	case isDeep && propagations[deep] != 0:
		k.propagation = propagations[deep]
	case word == "remount" || word == "move":
		return badOption("o", "%q is about a mount that is there already", word)
	case key == "":
		return badOption("o", "%q has no name", word)
	case given && value == "":
		return badOption("o", "%q has no value", key)
	default:
		k.super = append(k.super, superOption{key, value})
	}
	return nil
}
