package main

import (
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"unionfs/layerstore"
	"unionfs/layerstore/registry"
)

// ensureImage makes sure that an image is in the store, for the platform that
// was asked for.
func (h *house) ensureImage(ctx context.Context, name string, r *runFlags) error {
	pull, platform := r.pull, r.platform
	img, err := h.shop.Find(name)
	if err == nil && platform != "" {
		if err = h.checkPlatform(&img, name, platform); err != nil && img.ID.IsNamedBy(name) {
			return err // another platform's image has another id
		}
	}
	if err == nil && pull != "always" || pull == "never" {
		return err
	}
	t := r.transfer
	t.platform = platform
	o, d, err := t.options(&h.conf)
	if err != nil {
		return err
	}
	_, err = registry.Pull(ctx, h.shop.Store, name, o)
	d.end(err == nil)
	return err
}

func (h *house) checkPlatform(img *layerstore.Found, name, platform string) error {
	want, err := platformOf(platform)
	if err != nil {
		return err
	}
	has, err := h.platform(img)
	if err != nil || registry.Suits(has, want) {
		return err
	}
	return fmt.Errorf("the image %s in the store is for %s, and --platform=%s was asked for: --pull missing or always brings that", name, has, want)
}

// platform is what an image's config says.
func (h *house) platform(img *layerstore.Found) (v1.Platform, error) {
	cfg, err := h.shop.Config(img.ID)
	if err != nil {
		return v1.Platform{}, err
	}
	return v1.Platform{OS: cfg.OS, Architecture: cfg.Architecture, Variant: cfg.Variant}, nil
}

// mayRun refuses an image whose programs this machine can't execute. One that
// doesn't say is tried.
func (h *house) mayRun(name string) error {
	img, err := h.shop.Find(name)
	if err != nil {
		return err
	}
	has, err := h.platform(&img)
	if err != nil || executes(has) {
		return err
	}
	return fmt.Errorf("the image %s is for %s, whose programs this machine (linux/%s) can't execute: take one for linux/%s (--platform), or install an emulator (Debian's qemu-user-static, binfmt-support)", name, has, runtime.GOARCH, runtime.GOARCH)
}

func executes(p v1.Platform) bool {
	if p.OS != "" && p.OS != "linux" {
		return false
	}
	switch {
	case p.Architecture == "" || p.Architecture == runtime.GOARCH:
		return true
	case p.Architecture == "386" && runtime.GOARCH == "amd64", p.Architecture == "arm" && runtime.GOARCH == "arm64":
		return true // most kernels do
	}
	return emulated(p.Architecture)
}

// machines are the architectures by ELF's numbers (elf(5), e_machine).
var machines = map[string]elf.Machine{
	"386": elf.EM_386, "amd64": elf.EM_X86_64, "arm": elf.EM_ARM, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64,
	"s390x": elf.EM_S390, "riscv64": elf.EM_RISCV, "mips64le": elf.EM_MIPS, "loong64": elf.EM_LOONGARCH,
}

// emulated looks for an interpreter of another architecture's programs
// (Documentation/admin-guide/binfmt-misc.rst).
func emulated(arch string) bool {
	const dir = "/proc/sys/fs/binfmt_misc"
	machine, known := machines[arch]
	entries, err := os.ReadDir(dir)
	if err != nil || !known {
		return false // no interpreter of any
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil && takes(string(text), machine) {
			return true
		}
	}
	return false
}

// takes reads what the kernel says of an interpreter: whether it is enabled, and
// with what a file must begin.
func takes(text string, machine elf.Machine) bool {
	if !strings.HasPrefix(text, "enabled\n") {
		return false
	}
	for line := range strings.Lines(text) {
		word, ok := strings.CutPrefix(strings.TrimSpace(line), "magic ")
		magic, err := hex.DecodeString(word)
		if !ok || err != nil || len(magic) < 20 || string(magic[:4]) != elf.ELFMAG {
			continue
		}
		var order binary.ByteOrder = binary.LittleEndian
		if magic[elf.EI_DATA] == byte(elf.ELFDATA2MSB) {
			order = binary.BigEndian
		}
		if elf.Machine(order.Uint16(magic[18:])) == machine {
			return true
		}
	}
	return false
}
