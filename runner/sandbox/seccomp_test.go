package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// filtered is a refusal that no kernel gives by itself for the calls below.
const filtered = unix.EHOSTUNREACH

// dockerLike is docker's profile with refusals that can be told from the
// kernel's own.
func dockerLike(t testing.TB) []byte {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(DefaultSeccomp(), &p); err != nil {
		t.Fatal(err)
	}
	p["defaultErrnoRet"] = int(filtered)
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var recentKernel = [2]int{6, 1}

// data is a struct seccomp_data. The machine of x/net/bpf reads big-endian
// words, as packets have them.
type data struct {
	nr   uint32
	arch uint32
	args [6]uint64
}

func (d data) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, d.nr)
	b = binary.BigEndian.AppendUint32(b, d.arch)
	b = binary.BigEndian.AppendUint64(b, 0)
	for _, a := range d.args {
		b = binary.BigEndian.AppendUint32(b, uint32(a))
		b = binary.BigEndian.AppendUint32(b, uint32(a>>32))
	}
	return b
}

type vm struct{ *bpf.VM }

func compile(t testing.TB, profile []byte, m seccompMachine) vm {
	t.Helper()
	filter, err := compileSeccompFor(profile, m)
	if err != nil {
		t.Fatal(err)
	}
	var code []bpf.Instruction
	for _, i := range filter {
		code = append(code, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K}.Disassemble())
	}
	machine, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	return vm{machine}
}

func (v vm) answer(t testing.TB, d data) uint32 {
	t.Helper()
	n, err := v.Run(d.bytes())
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

const allow = unix.SECCOMP_RET_ALLOW

func refuse(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

func TestDockerProfileOnAllMachines(t *testing.T) {
	no := refuse(filtered)
	for _, test := range []struct {
		goarch string
		abi    *arch.Info
		caps   []string
		name   string
		arg    uint64
		want   uint32
	}{
		{"amd64", arch.X86_64, nil, "read", 0, allow},
		{"amd64", arch.X86_64, nil, "keyctl", 0, no},
		{"amd64", arch.X86_64, nil, "mount", 0, no},
		{"amd64", arch.X86_64, []string{"CAP_SYS_ADMIN"}, "mount", 0, allow},
		{"amd64", arch.X86_64, nil, "clone", unix.CLONE_NEWUSER, no},
		{"amd64", arch.X86_64, nil, "clone", unix.CLONE_VM | unix.CLONE_THREAD, allow},
		{"amd64", arch.X86_64, nil, "clone3", 0, refuse(unix.ENOSYS)},
		{"amd64", arch.X86_64, []string{"CAP_SYS_ADMIN"}, "clone3", 0, allow},
		{"amd64", arch.X86_64, nil, "socket", unix.AF_VSOCK, no},
		{"amd64", arch.X86_64, nil, "socket", unix.AF_INET6, allow},
		{"amd64", arch.X86_64, nil, "socket", unix.AF_INET | 1<<32, no},
		{"amd64", arch.X86_64, nil, "personality", 0x0400000, no},
		{"amd64", arch.X86_64, nil, "personality", 0xffffffff, allow},
		{"amd64", arch.X86_64, nil, "arch_prctl", 0, allow},
		{"amd64", arch.X86_64, nil, "ptrace", 0, allow},
		{"amd64", arch.I386, nil, "ptrace", 0, allow},
		{"amd64", arch.I386, nil, "mount", 0, no},
		{"amd64", arch.I386, nil, "clock_gettime64", 0, allow},
		{"amd64", arch.X32, nil, "ptrace", 0, allow},
		{"amd64", arch.X32, nil, "keyctl", 0, no},
		{"arm64", arch.AARCH64, nil, "openat", 0, allow},
		{"arm64", arch.AARCH64, nil, "newfstatat", 0, allow},
		{"arm64", arch.AARCH64, nil, "mount", 0, no},
		{"arm64", arch.AARCH64, nil, "clone", unix.CLONE_NEWNS, no},
		{"arm64", arch.ARM, nil, "open", 0, allow},
		{"arm64", arch.ARM, nil, "set_tls", 0, allow},
		{"arm64", arch.ARM, nil, "usr26", 0, refuse(unix.ENOSYS)},
		{"arm64", arch.ARM, nil, "mount", 0, no},
	} {
		number, ok := callNumber(test.abi, test.name)
		if !ok {
			t.Fatalf("%s has no %s", test.abi.Name, test.name)
		}
		v := compile(t, dockerLike(t), seccompMachine{test.goarch, recentKernel, test.caps})
		d := data{nr: number, arch: uint32(test.abi.ID), args: [6]uint64{test.arg}}
		if got := v.answer(t, d); got != test.want {
			t.Errorf("%s on %s, argument %#x, with %v: %#x, want %#x", test.name, test.abi.Name, test.arg, test.caps, got, test.want)
		}
	}
}

// Every call of every architecture is answered as a plain reading of the
// profile says.
func TestEveryCallOfTheProfile(t *testing.T) {
	var p struct {
		Syscalls []struct {
			Names              []string
			Action             string
			Args               []any
			Includes, Excludes map[string]any
		}
	}
	if err := json.Unmarshal(DefaultSeccomp(), &p); err != nil {
		t.Fatal(err)
	}
	plain := map[string]bool{}
	for _, s := range p.Syscalls {
		if len(s.Args) == 0 && len(s.Includes) == 0 && len(s.Excludes) == 0 && s.Action == "SCMP_ACT_ALLOW" {
			for _, name := range s.Names {
				plain[name] = true
			}
		}
	}
	if len(plain) < 300 {
		t.Fatalf("docker's profile allows %d calls", len(plain))
	}
	for goarch, abis := range map[string][]*arch.Info{"amd64": {arch.X86_64, arch.I386, arch.X32}, "arm64": {arch.AARCH64, arch.ARM}} {
		// A kernel too old for all rules that ask for one.
		v := compile(t, dockerLike(t), seccompMachine{goarch, [2]int{3, 10}, nil})
		for _, abi := range abis {
			for number, name := range abi.SyscallNumbers {
				got := v.answer(t, data{nr: uint32(number | abi.SeccompMask), arch: uint32(abi.ID)})
				if abi == arch.X32 && number < 512 && x32Numbers()[name] != number {
					continue // amd64's number of a call that x32 has its own for
				}
				if plain[name] && got != allow {
					t.Errorf("%s: %s is refused: %#x", abi.Name, name, got)
				}
				if name == "kexec_load" && got != refuse(filtered) {
					t.Errorf("%s: %s: %#x", abi.Name, name, got)
				}
			}
		}
	}
}

func TestOtherArchitecturesAreKilled(t *testing.T) {
	v := compile(t, DefaultSeccomp(), seccompMachine{"amd64", recentKernel, nil})
	if got := v.answer(t, data{arch: uint32(arch.AARCH64.ID)}); got != unix.SECCOMP_RET_KILL_THREAD {
		t.Errorf("arm64 on amd64: %#x", got)
	}
	// A profile without x32.
	v = compile(t, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["keyctl"],"action":"SCMP_ACT_ERRNO"}]}`),
		seccompMachine{"amd64", recentKernel, nil})
	for nr, want := range map[uint32]uint32{0: allow, unix.SECCOMP_RET_ALLOW: unix.SECCOMP_RET_KILL_THREAD, x32Bit: unix.SECCOMP_RET_KILL_THREAD, x32Bit - 1: allow} {
		if got := v.answer(t, data{nr: nr, arch: uint32(arch.X86_64.ID)}); got != want {
			t.Errorf("call %#x: %#x, want %#x", nr, got, want)
		}
	}
}

func TestNewerThanTheProfile(t *testing.T) {
	v := compile(t, dockerLike(t), seccompMachine{"amd64", recentKernel, nil})
	for nr, want := range map[uint32]uint32{500: refuse(unix.ENOSYS), 0x3fffffff: refuse(unix.ENOSYS), uint32(arch.X86_64.SyscallNames["kexec_load"]): refuse(filtered)} {
		if got := v.answer(t, data{nr: nr, arch: uint32(arch.X86_64.ID)}); got != want {
			t.Errorf("call %d: %#x, want %#x", nr, got, want)
		}
	}
}

func TestConditions(t *testing.T) {
	values := []uint64{0, 1, 7, 8, 9, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 7, 1<<32 + 8, 1<<32 + 9, 1 << 33, 1<<64 - 1, 0xf0f0<<32 | 0x0f0f}
	holds := map[string]func(a, v, two uint64) bool{
		"SCMP_CMP_EQ":        func(a, v, _ uint64) bool { return a == v },
		"SCMP_CMP_NE":        func(a, v, _ uint64) bool { return a != v },
		"SCMP_CMP_LT":        func(a, v, _ uint64) bool { return a < v },
		"SCMP_CMP_LE":        func(a, v, _ uint64) bool { return a <= v },
		"SCMP_CMP_GE":        func(a, v, _ uint64) bool { return a >= v },
		"SCMP_CMP_GT":        func(a, v, _ uint64) bool { return a > v },
		"SCMP_CMP_MASKED_EQ": func(a, v, two uint64) bool { return a&v == two },
	}
	for op, want := range holds {
		for _, value := range values {
			two := value & 0xff00000008
			profile := fmt.Sprintf(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":7,
				"args":[{"index":5,"value":%d,"valueTwo":%d,"op":%q},{"index":0,"value":3,"op":"SCMP_CMP_NE"}]}]}`, value, two, op)
			v := compile(t, []byte(profile), seccompMachine{"amd64", recentKernel, nil})
			for _, a := range append(values, two) {
				for _, first := range []uint64{3, 4} {
					expect := uint32(allow)
					if want(a, value, two) && first != 3 {
						expect = refuse(7)
					}
					got := v.answer(t, data{arch: uint32(arch.X86_64.ID), args: [6]uint64{0: first, 5: a}})
					if got != expect {
						t.Errorf("%#x %s %#x (%#x), first argument %d: %#x, want %#x", a, op, value, two, first, got, expect)
					}
				}
			}
		}
	}
}

func TestRulesOfOneCall(t *testing.T) {
	for name, test := range map[string]struct {
		rules string
		want  map[uint64]uint32
	}{
		"one without conditions counts alone": {
			`{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":5,"args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},{"names":["read"],"action":"SCMP_ACT_ALLOW"}`,
			map[uint64]uint32{1: allow, 2: allow},
		},
		"each its own errno": {
			`{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":5,"args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
			 {"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":6,"args":[{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}`,
			map[uint64]uint32{1: refuse(5), 2: refuse(6), 3: refuse(unix.EPERM)},
		},
		"one argument twice means either": {
			`{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":0,"value":2,"op":"SCMP_CMP_EQ"}]}`,
			map[uint64]uint32{1: allow, 2: allow, 3: refuse(unix.EPERM)},
		},
		"unknown names and other kernels": {
			`{"names":["no_such_call","read"],"action":"SCMP_ACT_LOG"},{"name":"write","action":"SCMP_ACT_ALLOW"},
			 {"names":["read"],"action":"SCMP_ACT_KILL","includes":{"minKernel":"6.2"}}`,
			map[uint64]uint32{1: unix.SECCOMP_RET_LOG},
		},
	} {
		v := compile(t, []byte(`{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[`+test.rules+`]}`), seccompMachine{"amd64", recentKernel, nil})
		for arg, want := range test.want {
			if got := v.answer(t, data{arch: uint32(arch.X86_64.ID), args: [6]uint64{arg}}); got != want {
				t.Errorf("%s: argument %d: %#x, want %#x", name, arg, got, want)
			}
		}
	}
}

// Many rules with conditions put the branches of the search further apart than
// a conditional jump reaches.
func TestLongJumps(t *testing.T) {
	var rules []string
	for number := range 300 {
		name, ok := arch.X86_64.SyscallNumbers[number]
		if !ok {
			continue
		}
		rules = append(rules, fmt.Sprintf(`{"names":[%q],"action":"SCMP_ACT_ERRNO","errnoRet":%d,"args":[{"index":0,"value":%d,"op":"SCMP_CMP_EQ"}]}`, name, number+1, number))
	}
	v := compile(t, []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[`+strings.Join(rules, ",")+`]}`), seccompMachine{"amd64", recentKernel, nil})
	for number := range 300 {
		d := data{nr: uint32(number), arch: uint32(arch.X86_64.ID), args: [6]uint64{uint64(number)}}
		if got, want := v.answer(t, d), refuse(unix.Errno(number+1)); got != want {
			t.Errorf("call %d: %#x, want %#x", number, got, want)
		}
		d.args[0]++
		if got := v.answer(t, d); got != allow {
			t.Errorf("call %d with another argument: %#x", number, got)
		}
	}
}

func TestSeccompMistakes(t *testing.T) {
	for profile, want := range map[string]string{
		`[`: "seccomp profile", `{"defaultAction":"SCMP_ACT_MAYBE"}`: `no action "SCMP_ACT_MAYBE"`,
		`{"defaultAction":"SCMP_ACT_NOTIFY"}`:                       "agent",
		`{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":5000}`: "5000",
		`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{"architecture":"SCMP_ARCH_X86_64"}]}`:                "leave one",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null]}`:                                                                                "rule 1",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_KILL"}]}`:                                                          "names no",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_KILL"}]}`:                                 "leave one",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}`: "argument 6",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","args":[{"index":0,"op":"EQ"}]}]}`:          `"EQ"`,
	} {
		_, err := compileSeccompFor([]byte(profile), seccompMachine{"amd64", recentKernel, nil})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", profile, err, want)
		}
	}
	if _, err := compileSeccompFor(DefaultSeccomp(), seccompMachine{"riscv64", recentKernel, nil}); err == nil {
		t.Error("riscv64 has a filter")
	}
	if filter, err := compileSeccompFor([]byte(`{}`), seccompMachine{"amd64", recentKernel, nil}); err != nil || filter != nil {
		t.Errorf("the empty profile: %v, %v", filter, err)
	}
}

const seccompChild = "SANDBOX_TEST_SECCOMP"

// attempts are calls that do no harm when the filter lets them through: the
// kernel then refuses their arguments.
var attempts = []struct {
	name string
	nr   uintptr
	args [3]uintptr
	want unix.Errno // 0 stands for any answer of the kernel itself
}{
	{"getppid", unix.SYS_GETPPID, [3]uintptr{}, 0},
	{"keyctl", unix.SYS_KEYCTL, [3]uintptr{99}, filtered},
	{"mount", unix.SYS_MOUNT, [3]uintptr{}, filtered},
	{"unshare", unix.SYS_UNSHARE, [3]uintptr{}, filtered},
	{"clone with CLONE_NEWUSER", unix.SYS_CLONE, [3]uintptr{unix.CLONE_NEWUSER | unix.CLONE_THREAD}, filtered},
	{"clone", unix.SYS_CLONE, [3]uintptr{unix.CLONE_THREAD}, 0},
	{"clone3", unix.SYS_CLONE3, [3]uintptr{}, unix.ENOSYS},
	{"ptrace", unix.SYS_PTRACE, [3]uintptr{99}, 0},
	{"socket(AF_VSOCK)", unix.SYS_SOCKET, [3]uintptr{unix.AF_VSOCK, 99}, filtered},
	{"socket(AF_UNIX)", unix.SYS_SOCKET, [3]uintptr{unix.AF_UNIX, 99}, 0},
	{"personality(ADDR_NO_RANDOMIZE)", unix.SYS_PERSONALITY, [3]uintptr{0x0040000}, filtered},
	{"personality(query)", unix.SYS_PERSONALITY, [3]uintptr{0xffffffff}, 0},
	{"kexec_load", unix.SYS_KEXEC_LOAD, [3]uintptr{0, 99}, filtered},
	{"a call to come", 900, [3]uintptr{}, unix.ENOSYS},
}

// TestFilterInKernel loads docker's profile for real, in processes of all kinds
// of users.
func TestFilterInKernel(t *testing.T) {
	if how := os.Getenv(seccompChild); how != "" {
		attempt(t, how)
		os.Exit(0)
	}
	hows := []string{"no_new_privs"}
	if unix.Geteuid() == 0 {
		hows = append(hows, "capable")
		if mapped(65534) {
			hows = append(hows, "user")
		}
	}
	for _, how := range hows {
		t.Run(how, func(t *testing.T) { runAttempts(t, how, 0) })
	}
	t.Run("namespace", func(t *testing.T) {
		if err := exec.Command("unshare", "-Ur", "true").Run(); err != nil {
			lacking(t, "user namespaces: %v", err)
		}
		runAttempts(t, "no_new_privs", unix.CLONE_NEWUSER)
	})
}

// mapped says that root can become the user.
func mapped(uid uint32) bool {
	child := exec.Command("/bin/true")
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
	return child.Run() == nil
}

func runAttempts(t *testing.T, how string, flags uintptr) {
	child := exec.Command("/proc/self/exe", "-test.run=^TestFilterInKernel$")
	child.Env = append(os.Environ(), seccompChild+"="+how)
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if flags != 0 {
		child.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		child.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	var out, stderr bytes.Buffer
	child.Stdout, child.Stderr = &out, &stderr
	if err := child.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &stderr)
	}
	var got []unix.Errno
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, &out)
	}
	if len(got) != len(attempts) {
		t.Fatalf("%d answers to %d calls", len(got), len(attempts))
	}
	for i, a := range attempts {
		switch {
		case a.want == 0 && (got[i] == filtered || got[i] == unix.ENOSYS):
			t.Errorf("%s: refused: %v", a.name, got[i])
		case a.want != 0 && got[i] != a.want:
			t.Errorf("%s: %v, want %v", a.name, got[i], a.want)
		}
	}
}

// attempt is the child: it makes the calls on one thread, whose fate is no
// other's.
func attempt(t *testing.T, how string) {
	filter, err := compileSeccomp(dockerLike(t), nil, recentKernel)
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if how == "user" {
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			t.Fatal(errno)
		}
		if err := loadSeccomp(filter); err == nil || !strings.Contains(err.Error(), "no_new_privs") {
			t.Fatalf("an ordinary user without no_new_privs: %v", err)
		}
	}
	if how != "capable" {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := loadSeccomp(filter); err != nil {
		t.Fatal(err)
	}
	got := make([]unix.Errno, len(attempts))
	for i, a := range attempts {
		_, _, got[i] = unix.RawSyscall(a.nr, a.args[0], a.args[1], a.args[2])
	}
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCompileSeccomp(b *testing.B) {
	profile := DefaultSeccomp()
	for b.Loop() {
		if _, err := compileSeccomp(profile, nil, recentKernel); err != nil {
			b.Fatal(err)
		}
	}
}
