package registry

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"golang.org/x/sys/unix"
)

// wanted is the platform to pick.
func (o Options) wanted() v1.Platform {
	if o.Platform != nil {
		return *o.Platform
	}
	p := v1.Platform{OS: "linux", Architecture: runtime.GOARCH}
	if p.Architecture == "arm" {
		p.Variant = armVariant()
	}
	return p
}

// armVariant asks the kernel: a program for ARMv6 may run on an ARMv7.
func armVariant() string {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		machine := unix.ByteSliceToString(u.Machine[:])
		for _, v := range [...]string{"v5", "v6"} {
			if strings.HasPrefix(machine, "arm"+v) {
				return v
			}
		}
	}
	return "v7"
}

// generations are the variants of each architecture, the oldest first: a
// machine runs what was made for older ones (OCI image-spec, image-index.md,
// "Platform Variants"; the x86-64 psABI names the levels of amd64).
var generations = map[string][]string{
	"amd64": {"v1", "v2", "v3", "v4"},
	"arm":   {"v5", "v6", "v7", "v8"},
	"arm64": {"v8", "v9"},
}

// unstated is the variant that is meant when none is given.
var unstated = map[string]string{"amd64": "v1", "arm": "v7", "arm64": "v8"}

// suits scores how well a platform on offer suits the wanted one: -1 not at
// all, else the higher the better.
func suits(offer, want v1.Platform) int {
	if offer.OS != want.OS || offer.Architecture != want.Architecture {
		return -1
	}
	if want.OSVersion != "" && offer.OSVersion != "" && offer.OSVersion != want.OSVersion {
		return -1
	}
	offered, wanted := variantOf(offer), variantOf(want)
	if offered == wanted {
		return len(generations[want.Architecture])
	}
	ladder := generations[want.Architecture]
	at, top := slices.Index(ladder, offered), slices.Index(ladder, wanted)
	if at < 0 || top < 0 || at > top {
		return -1
	}
	return at
}

// Suits tells whether an image for one platform can stand for one for another.
func Suits(offer, want v1.Platform) bool { return suits(offer, want) >= 0 }

func variantOf(p v1.Platform) string {
	if p.Variant == "" {
		return unstated[p.Architecture]
	}
	return p.Variant
}

// NoPlatformError says that an image isn't there for a platform.
type NoPlatformError struct {
	Image string
	Want  v1.Platform
	Has   []string
}

func (e *NoPlatformError) Error() string {
	has := "nothing for any known platform"
	if len(e.Has) > 0 {
		has = strings.Join(e.Has, ", ")
	}
	return fmt.Sprintf("no %s in %s; it has %s", e.Want, e.Image, has)
}

// pick chooses from an index. A descriptor that states no platform is taken
// when nothing better is there and no other is like it.
func pick(image string, offers []v1.Descriptor, want v1.Platform) (v1.Descriptor, error) {
	best, score := v1.Descriptor{}, -1
	var has []string
	var plain []v1.Descriptor
	for _, d := range offers {
		if isAttestation(d) {
			continue
		}
		if d.Platform == nil || d.Platform.OS == "" && d.Platform.Architecture == "" {
			plain = append(plain, d)
			continue
		}
		if name := d.Platform.String(); !slices.Contains(has, name) {
			has = append(has, name)
		}
		if s := suits(*d.Platform, want); s > score {
			best, score = d, s
		}
	}
	switch {
	case score >= 0:
		return best, nil
	case len(plain) == 1:
		return plain[0], nil
	}
	return v1.Descriptor{}, &NoPlatformError{image, want, has}
}

// isAttestation tells what BuildKit puts beside images in their indexes.
func isAttestation(d v1.Descriptor) bool {
	return d.Annotations["vnd.docker.reference.type"] == "attestation-manifest" ||
		d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}
