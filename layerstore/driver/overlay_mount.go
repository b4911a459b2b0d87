package driver

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// overlayMount is one mount of the kernel's overlayfs.
type overlayMount struct {
	source      string
	lowers      []string // the highest first
	upper, work string   // empty for a read-only one
	options     []string // overlayfs's own: KEY or KEY=VALUE
	general     []string // nosuid, nodev …
}

// mount makes it with the calls that take any number of layers (fsopen(2), since
// Linux 6.8 one at a time with "lowerdir+"), else with mount(2), whose options
// must fit a page.
func (m *overlayMount) mount(target string) error {
	attrs, err := mountAttrs(m.general)
	if err != nil {
		return err
	}
	err = m.mountByConfig(target, attrs)
	if err == nil || !errors.Is(err, errOldKernel) {
		return err
	}
	return m.mountByString(target, attrs)
}

// errOldKernel says that the kernel lacks a way to mount.
var errOldKernel = errors.New("the kernel is too old")

func (m *overlayMount) mountByConfig(target string, attrs int) error {
	mnt, err := m.configured(attrs)
	if err != nil {
		return err
	}
	defer unix.Close(mnt)
	return unix.MoveMount(mnt, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// detached makes the mount in no tree.
func (m *overlayMount) detached() (*os.File, error) {
	attrs, err := mountAttrs(m.general)
	if err != nil {
		return nil, err
	}
	mnt, err := m.configured(attrs)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(mnt), m.source), nil
}

func (m *overlayMount) configured(attrs int) (int, error) {
	fs, err := unix.Fsopen("overlay", unix.FSOPEN_CLOEXEC)
	if err == unix.ENOSYS {
		return -1, errOldKernel
	}
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if m.source != "" {
		if err := unix.FsconfigSetString(fs, "source", m.source); err != nil {
			return -1, err
		}
	}
	for _, lower := range m.lowers {
		if err := unix.FsconfigSetString(fs, "lowerdir+", lower); err != nil {
			return -1, errOldKernel
		}
	}
	for _, option := range m.own() {
		if err := setOption(fs, option); err != nil {
			return -1, err
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	return unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, attrs)
}

func setOption(fs int, option string) error {
	key, value, ok := strings.Cut(option, "=")
	if !ok {
		return unix.FsconfigSetFlag(fs, key)
	}
	return unix.FsconfigSetString(fs, key, value)
}

// own are overlayfs's own options but the lowers.
func (m *overlayMount) own() []string {
	out := m.options[:len(m.options):len(m.options)]
	if m.upper == "" {
		return out
	}
	return append(out, "upperdir="+m.upper, "workdir="+m.work)
}

func (m *overlayMount) mountByString(target string, attrs int) error {
	var lowers []string
	for _, lower := range m.lowers {
		lowers = append(lowers, escapeLower(lower))
	}
	data := strings.Join(append([]string{"lowerdir=" + strings.Join(lowers, ":")}, m.own()...), ",")
	if len(data) >= unix.Getpagesize() {
		return errors.New("too many layers for this kernel, whose mount options must fit a page: use the driver union")
	}
	if err := unix.Mount(m.source, target, "overlay", 0, data); err != nil {
		return err
	}
	return setAttrs(target, attrs)
}

// escapeLower hides what separates layers and options in a path.
func escapeLower(path string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`).Replace(path)
}
