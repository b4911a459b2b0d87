package runner

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mount is one thing that a container has at a place of its own: what one -v,
// --mount or --tmpfs says. It is kept with the container as JSON.
type Mount struct {
	Type MountType `json:"type"`
	// Source is a path of this machine, a volume's name, or an image's. An
	// anonymous volume has none until its container is made.
	Source   string `json:"source,omitempty"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
	// Attributes are nosuid, nodev and noexec, their opposites, and for tmpfs
	// the file system's own words.
	Attributes []string `json:"attributes,omitempty"`
	// Propagation is a word of mount(8); "" is rprivate.
	Propagation string `json:"propagation,omitempty"`
	// Subpath is what of a volume or an image is shown; "" is all.
	Subpath string `json:"subpath,omitempty"`
	// Chown gives all files to the container's user.
	Chown bool `json:"chown,omitempty"`
	// Overlay keeps what is written apart, and drops it when the container ends.
	Overlay bool `json:"overlay,omitempty"`
	// IDMap asks for other owners than those on disk: "" for no such thing,
	// "container" for those that the container's user namespace makes of them,
	// or podman's words (ParseIDMap).
	IDMap string `json:"idmap,omitempty"`

	// Of a bind.
	Recursion    Recursion `json:"recursion,omitempty"`
	CreateSource bool      `json:"createSource,omitempty"` // when it isn't there

	// Of a volume.
	Anonymous bool              `json:"anonymous,omitempty"` // it goes with the container
	NoCopy    bool              `json:"noCopy,omitempty"`    // it isn't filled from the image
	NoCreate  bool              `json:"noCreate,omitempty"`  // it must be there
	Driver    string            `json:"driver,omitempty"`
	Options   map[string]string `json:"options,omitempty"` // the driver's
	Labels    map[string]string `json:"labels,omitempty"`

	// CopyUp fills a tmpfs from what it hides.
	CopyUp bool `json:"copyUp,omitempty"`
	// Writable says that an image may be written to: what is written is gone
	// with the container's end.
	Writable bool `json:"writable,omitempty"`
}

// MountType is docker's word for a kind of mount.
type MountType string

// The kinds.
const (
	BindMount   MountType = "bind"
	VolumeMount MountType = "volume"
	TmpfsMount  MountType = "tmpfs"
	ImageMount  MountType = "image"
)

var mountTypes = []MountType{BindMount, VolumeMount, TmpfsMount, ImageMount}

// Recursion says what becomes of mounts below a bind's source, in docker's
// words (bind-recursive).
type Recursion string

// The words. The default brings them along, and makes them read-only with the
// bind.
const (
	RecursionDefault  Recursion = ""
	RecursionDisabled Recursion = "disabled" // they stay out
	RecursionWritable Recursion = "writable" // they aren't read-only with it
	RecursionReadOnly Recursion = "readonly" // they must be read-only with it
)

// propagations are the words of mount(8) for them.
var propagations = []string{
	"private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
}

// volumeName is podman's form: docker wants two letters.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// check finds what is wrong with a mount, whoever made it.
func (m *Mount) check() error {
	for _, word := range []string{m.Source, m.Target, m.Subpath} {
		if err := checkText(word); err != nil {
			return err
		}
	}
	if err := checkTarget(m.Target); err != nil {
		return err
	}
	if m.Propagation != "" && !slices.Contains(propagations, m.Propagation) {
		return fmt.Errorf("%q is no propagation: one of %q is expected", m.Propagation, propagations)
	}
	if m.Subpath != "" && !localPath(m.Subpath) {
		return fmt.Errorf("the subpath %q leads out of the %s: a relative path without .. is expected", m.Subpath, m.Type)
	}
	if m.IDMap != "" {
		if _, err := ParseIDMap(m.IDMap); err != nil {
			return err
		}
	}
	switch m.Type {
	case BindMount:
		return m.checkBind()
	case VolumeMount:
		if m.Source != "" && !volumeName.MatchString(m.Source) {
			return fmt.Errorf("%q is no name of a volume: letters, digits, and _ . - behind the first are (a path begins with / or .)", m.Source)
		}
		if m.NoCreate && m.Source == "" {
			return fmt.Errorf("an anonymous volume is always new: nocreate needs a name")
		}
	case TmpfsMount:
		if m.Source != "" {
			return fmt.Errorf("a tmpfs has no source, and %q was given", m.Source)
		}
	case ImageMount:
		if m.Source == "" {
			return fmt.Errorf("the source is missing: the image to show at %s", m.Target)
		}
	default:
		return fmt.Errorf("%q is no type of mount: %s is expected", m.Type, joinTypes(mountTypes))
	}
	return nil
}

func (m *Mount) checkBind() error {
	if m.Source == "" {
		return fmt.Errorf("the source is missing: the path to show at %s", m.Target)
	}
	if (m.Recursion == RecursionWritable || m.Recursion == RecursionReadOnly) && !m.ReadOnly {
		return fmt.Errorf("bind-recursive=%s is about a bind that is read-only: add readonly", m.Recursion)
	}
	if m.Recursion == RecursionReadOnly && m.Propagation != "" && m.Propagation != "rprivate" {
		return fmt.Errorf("bind-recursive=readonly and bind-propagation=%s exclude each other: mounts that come later wouldn't be read-only", m.Propagation)
	}
	return nil
}

// checkText refuses what can't be kept as JSON, or be told to the kernel.
func checkText(word string) error {
	if !utf8.ValidString(word) || strings.ContainsRune(word, 0) {
		return fmt.Errorf("%q holds bytes that are no text: UTF-8 is expected", word)
	}
	return nil
}

// localPath tells whether a relative path stays below where it begins.
func localPath(name string) bool {
	clean := path.Clean(name)
	return !path.IsAbs(name) && clean != ".." && (len(clean) < 3 || clean[:3] != "../")
}
