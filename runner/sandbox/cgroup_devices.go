package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deviceRule allows a use of nodes. Major and minor -1 are all.
type deviceRule struct {
	kind         byte // 'c' or 'b'
	major, minor int64
	access       string // of "rwm"
}

// defaultDeviceRules are what every container may use: nodes may be made, and
// those that runc and docker give may be opened.
var defaultDeviceRules = []deviceRule{
	{'c', -1, -1, "m"},
	{'b', -1, -1, "m"},
	{'c', 1, 3, "rwm"},    // null
	{'c', 1, 5, "rwm"},    // zero
	{'c', 1, 7, "rwm"},    // full
	{'c', 1, 8, "rwm"},    // random
	{'c', 1, 9, "rwm"},    // urandom
	{'c', 5, 0, "rwm"},    // tty
	{'c', 5, 1, "rwm"},    // console
	{'c', 5, 2, "rwm"},    // ptmx
	{'c', 136, -1, "rwm"}, // pts
}

func (r deviceRule) String() string {
	return fmt.Sprintf("%c %s:%s %s", r.kind, deviceNumber(r.major), deviceNumber(r.minor), r.access)
}

func deviceNumber(n int64) string {
	if n < 0 {
		return "*"
	}
	return strconv.FormatInt(n, 10)
}

func deviceRules(devices []Device) (rules []deviceRule, err error) {
	devices, err = resolveDevices(devices)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		r := deviceRule{'c', int64(d.Major), int64(d.Minor), d.Access}
		switch d.Type {
		case "p":
			continue // a pipe is no device
		case "b":
			r.kind = 'b'
		}
		if r.access == "" {
			r.access = "rwm"
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// restrictDevices refuses all other devices, where that can be had: in v1's
// controller, or by a program on the unified group.
func (g *cgroup) restrictDevices(devices []Device) error {
	rules, err := deviceRules(devices)
	if err != nil {
		return err
	}
	if dir := g.v1["devices"]; dir != "" {
		return denyDevicesV1(dir, rules)
	}
	if g.unified == "" {
		return nil
	}
	err = attachDeviceProgram(g.unified, deviceProgram(append(defaultDeviceRules[:len(defaultDeviceRules):len(defaultDeviceRules)], rules...)))
	// Who may not load programs has no devices to fear either: a user namespace
	// gives no right to make nodes. EINVAL comes from kernels before 4.15 and
	// those without CONFIG_CGROUP_BPF.
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// denyDevicesV1 begins from nothing. A group never gets what its parent hasn't.
func denyDevicesV1(dir string, rules []deviceRule) error {
	err := writeGroupFile(dir, "devices.deny", "a")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return nil // not ours to say, in a user namespace
	}
	if err != nil {
		return fmt.Errorf("refuse devices: %w", err)
	}
	for _, r := range defaultDeviceRules {
		if err := writeGroupFile(dir, "devices.allow", r.String()); err != nil && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("allow device %s: %w", r, err)
		}
	}
	for _, r := range rules {
		err := writeGroupFile(dir, "devices.allow", r.String())
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("allow device %s: %w (this process' own devices cgroup refuses it: see /sys/fs/cgroup/devices)", r, err)
		}
		if err != nil {
			return fmt.Errorf("allow device %s: %w", r, err)
		}
	}
	return nil
}

// bpfInstruction is struct bpf_insn (linux/bpf.h).
type bpfInstruction struct {
	code      uint8
	registers uint8 // destination, and source in the upper half
	offset    int16
	immediate int32
}

const (
	ebpfLoad     = unix.BPF_LDX | unix.BPF_MEM | unix.BPF_W
	ebpfAnd      = bpfALU64 | unix.BPF_AND | unix.BPF_K
	ebpfShift    = bpfALU64 | unix.BPF_RSH | unix.BPF_K
	ebpfMove     = bpfALU64 | bpfMOV | unix.BPF_K
	ebpfCopy     = bpfALU64 | bpfMOV | unix.BPF_X
	ebpfNotEqual = unix.BPF_JMP | bpfJNE | unix.BPF_K
	ebpfExit     = unix.BPF_JMP | bpfEXIT

	bpfALU64 = 0x07
	bpfMOV   = 0xb0
	bpfJNE   = 0x50
	bpfEXIT  = 0x90
)

// The bits of struct bpf_cgroup_dev_ctx: the access is in the upper half of a
// word, the type in the lower.
var (
	deviceAccess = map[rune]int32{'m': unix.BPF_DEVCG_ACC_MKNOD, 'r': unix.BPF_DEVCG_ACC_READ, 'w': unix.BPF_DEVCG_ACC_WRITE}
	deviceKind   = map[byte]int32{'b': unix.BPF_DEVCG_DEV_BLOCK, 'c': unix.BPF_DEVCG_DEV_CHAR}
)

// deviceProgram answers 1 for what a rule allows and 0 for all else.
func deviceProgram(rules []deviceRule) []bpfInstruction {
	const kind, access, major, minor, rest = 2, 3, 4, 5, 6 // registers; 0 is the answer, 1 the context
	code := []bpfInstruction{
		{code: ebpfLoad, registers: kind | 1<<4},
		{code: ebpfCopy, registers: access | kind<<4},
		{code: ebpfAnd, registers: kind, immediate: 0xffff},
		{code: ebpfShift, registers: access, immediate: 16},
		{code: ebpfLoad, registers: major | 1<<4, offset: 4},
		{code: ebpfLoad, registers: minor | 1<<4, offset: 8},
	}
	for _, r := range rules {
		allowed := int32(0)
		for _, letter := range r.access {
			allowed |= deviceAccess[letter]
		}
		part := []bpfInstruction{
			{code: ebpfNotEqual, registers: kind, immediate: deviceKind[r.kind]},
			{code: ebpfCopy, registers: rest | access<<4},
			{code: ebpfAnd, registers: rest, immediate: ^allowed},
			{code: ebpfNotEqual, registers: rest, immediate: 0},
		}
		if r.major >= 0 {
			part = append(part, bpfInstruction{code: ebpfNotEqual, registers: major, immediate: int32(r.major)})
		}
		if r.minor >= 0 {
			part = append(part, bpfInstruction{code: ebpfNotEqual, registers: minor, immediate: int32(r.minor)})
		}
		part = append(part, answer(1)...)
		for i := range part {
			if part[i].code == ebpfNotEqual {
				part[i].offset = int16(len(part) - i - 1)
			}
		}
		code = append(code, part...)
	}
	return append(code, answer(0)...)
}

func answer(n int32) []bpfInstruction {
	return []bpfInstruction{{code: ebpfMove, immediate: n}, {code: ebpfExit}}
}

// attachDeviceProgram puts a program on a group. It stays for as long as the
// group does.
func attachDeviceProgram(dir string, code []bpfInstruction) error {
	program, err := loadDeviceProgram(code)
	if err != nil {
		return fmt.Errorf("load the program that refuses devices: %w", err)
	}
	defer unix.Close(program)
	group, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	defer unix.Close(group)
	attr := struct{ target, program, kind, flags uint32 }{
		uint32(group), uint32(program), unix.BPF_CGROUP_DEVICE, unix.BPF_F_ALLOW_MULTI,
	}
	if _, err := bpfCall(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("attach the program that refuses devices to %s: %w", dir, err)
	}
	return nil
}

func loadDeviceProgram(code []bpfInstruction) (int, error) {
	license := []byte("Apache-2.0\x00")
	attr := struct {
		kind, count           uint32
		instructions, license uint64
		logLevel, logSize     uint32
		log                   uint64
		version, flags        uint32
	}{
		kind:         unix.BPF_PROG_TYPE_CGROUP_DEVICE,
		count:        uint32(len(code)),
		instructions: uint64(uintptr(unsafe.Pointer(&code[0]))),
		license:      uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	defer runtime.KeepAlive(code)
	defer runtime.KeepAlive(license)
	return bpfCall(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

func bpfCall(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EAGAIN, unix.EINTR:
			continue // the verifier was interrupted by a signal
		}
		return -1, errno
	}
}
