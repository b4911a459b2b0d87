package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A filter is a program of the classic BPF machine that reads a struct
// seccomp_data (linux/seccomp.h) and returns an answer. It jumps forward only.
// First comes the choice of the architecture, then, for each, a search tree
// over the numbers of system calls: runs of numbers with the same answer are
// its leaves, so that no call costs more than a few comparisons.

// Where struct seccomp_data has what is asked for. Both machines have the low
// half of an argument first.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

const (
	opLoad  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump  = unix.BPF_JMP | unix.BPF_JA
	opEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opAbove = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opRet   = unix.BPF_RET | unix.BPF_K
)

// x32Bit marks the numbers of the x32 calls, which share their architecture
// with amd64's (arch/x86/include/uapi/asm/unistd.h).
const x32Bit = 0x40000000

// armPrivate begins the calls that only arm has, far above all others
// (arch/arm/include/uapi/asm/unistd.h).
const armPrivate = 0x0f0000

var seccompArchs = map[specs.Arch]*arch.Info{
	specs.ArchX86_64:  arch.X86_64,
	specs.ArchX86:     arch.I386,
	specs.ArchX32:     arch.X32,
	specs.ArchAARCH64: arch.AARCH64,
	specs.ArchARM:     arch.ARM,
}

// laterCalls are newer than the tables; calls have had the same number on all
// machines since 424 (the kernel's syscall.tbl files).
var laterCalls = map[string]int{"file_getattr": 468, "file_setattr": 469, "listns": 470}

// callNumber is the number of a call, with x32's bit.
func callNumber(info *arch.Info, name string) (n uint32, ok bool) {
	if info == arch.AARCH64 && name == "newfstatat" {
		name = "fstatat" // the table has the name of the kernel's source
	}
	number, ok := info.SyscallNames[name]
	if info == arch.X32 {
		number, ok = x32Numbers()[name]
	}
	if !ok {
		number, ok = laterCalls[name]
	}
	return uint32(number | info.SeccompMask), ok
}

// x32Numbers gives x32 its own numbers, from 512 on, of calls that the table has
// with amd64's too (arch/x86/entry/syscalls/syscall_64.tbl).
var x32Numbers = sync.OnceValue(func() map[string]int {
	numbers := map[string]int{}
	for number, name := range arch.X32.SyscallNumbers {
		numbers[name] = max(number, numbers[name])
	}
	return numbers
})

func compileSeccompFor(profile []byte, m seccompMachine) ([]unix.SockFilter, error) {
	policy, err := parseSeccomp(profile, m)
	if err != nil || policy == nil {
		return nil, err
	}
	filter := policy.assemble()
	if len(filter) > unix.BPF_MAXINSNS {
		return nil, fmt.Errorf("seccomp profile: its filter has %d instructions, and the kernel takes %d: give it fewer rules",
			len(filter), unix.BPF_MAXINSNS)
	}
	return filter, nil
}

// assemble puts the choice of the architecture before the trees. What comes
// from any other one is killed, as libseccomp does it: its numbers mean other
// calls.
func (p *seccompPolicy) assemble() []unix.SockFilter {
	trees := map[uint32][]segment{}
	for _, name := range p.archs {
		info, ok := seccompArchs[name]
		if !ok {
			continue // no kernel of this machine runs it
		}
		id := uint32(info.ID)
		trees[id] = append(trees[id], p.segments(info)...)
	}
	code := []unix.SockFilter{load(offsetArch)}
	for _, id := range slices.Sorted(maps.Keys(trees)) {
		tree := append([]unix.SockFilter{load(offsetNumber)}, search(closeX32(id, trees[id]))...)
		code = append(code,
			unix.SockFilter{Code: opEqual, K: id, Jt: 1},
			unix.SockFilter{Code: opJump, K: uint32(len(tree))})
		code = append(code, tree...)
	}
	return append(code, ret(unix.SECCOMP_RET_KILL_THREAD))
}

// segment is a run of numbers, from first up to the next segment's, with the
// same answer.
type segment struct {
	first uint32
	code  []unix.SockFilter
}

// closeX32 sorts the segments of an architecture, and kills x32's numbers when
// the profile doesn't list x32.
func closeX32(id uint32, segments []segment) []segment {
	slices.SortFunc(segments, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	if id == uint32(arch.X86_64.ID) && segments[len(segments)-1].first < x32Bit {
		segments = append(segments, segment{x32Bit, []unix.SockFilter{ret(unix.SECCOMP_RET_KILL_THREAD)}})
	}
	return segments
}

// segments are those of all numbers from the architecture's first to the end.
func (p *seccompPolicy) segments(info *arch.Info) (out []segment) {
	add := func(first uint32, code []unix.SockFilter) {
		if n := len(out); n == 0 || !slices.Equal(out[n-1].code, code) {
			out = append(out, segment{first, code})
		}
	}
	answers := p.answers(info)
	unknown, newer := []unix.SockFilter{ret(p.fallback)}, []unix.SockFilter{ret(p.newer)}
	next := uint32(info.SeccompMask)
	numbers := slices.Sorted(maps.Keys(answers))
	beyond := lastNumber(numbers, next) + 1
	for _, n := range numbers {
		if n > next && next < beyond {
			add(next, unknown)
		}
		if n > beyond {
			add(max(next, beyond), newer)
		}
		add(n, answers[n])
		next = n + 1
	}
	add(next, newer)
	return out
}

// lastNumber is the newest call's.
func lastNumber(numbers []uint32, none uint32) uint32 {
	for _, n := range slices.Backward(numbers) {
		if n&^x32Bit < armPrivate {
			return n
		}
	}
	return none
}

// answers is the code for each number that the rules speak of. A rule without
// conditions is the answer, whatever others say, and the first of those counts;
// this is libseccomp's order, which profiles are written for.
func (p *seccompPolicy) answers(info *arch.Info) map[uint32][]unix.SockFilter {
	conditional := map[uint32][]unix.SockFilter{}
	plain := map[uint32][]unix.SockFilter{}
	for _, r := range p.rules {
		for _, name := range r.names {
			n, ok := callNumber(info, name)
			switch {
			case !ok:
				continue
			case len(r.conditions) > 0:
				conditional[n] = append(conditional[n], r.code()...)
			case plain[n] == nil:
				plain[n] = []unix.SockFilter{ret(r.answer)}
			}
		}
	}
	for n, code := range conditional {
		if plain[n] == nil {
			plain[n] = append(code, ret(p.fallback))
		}
	}
	return plain
}

// search finds the segment of the number that was loaded.
func search(segments []segment) []unix.SockFilter {
	if len(segments) == 1 {
		return segments[0].code
	}
	middle := len(segments) / 2
	left, right := search(segments[:middle]), search(segments[middle:])
	first := segments[middle].first
	// A conditional jump reaches 255 instructions far; a plain one anywhere.
	code := []unix.SockFilter{{Code: opLeast, K: first, Jt: uint8(min(len(left), 255))}}
	if len(left) > 255 {
		code = []unix.SockFilter{{Code: opLeast, K: first, Jf: 1}, {Code: opJump, K: uint32(len(left))}}
	}
	return slices.Concat(code, left, right)
}

// Targets of jumps in the code of a condition, until their distance is known.
const (
	toPass = 254 // behind the condition
	toFail = 255 // behind the rule
)

// code answers when all conditions hold, and goes on behind itself otherwise.
// Six conditions are under forty instructions: all jumps are short.
func (r *seccompRule) code() (code []unix.SockFilter) {
	for _, c := range r.conditions {
		code = append(code, aim(condition(c), toPass)...)
	}
	return aim(append(code, ret(r.answer)), toFail)
}

// aim makes the jumps with a target go behind the code.
func aim(code []unix.SockFilter, target uint8) []unix.SockFilter {
	for i := range code {
		behind := uint8(len(code) - i - 1)
		if code[i].Jt == target {
			code[i].Jt = behind
		}
		if code[i].Jf == target {
			code[i].Jf = behind
		}
	}
	return code
}

// condition compares a 64-bit argument in two halves: the high one decides
// unless it is equal.
func condition(c specs.LinuxSeccompArg) []unix.SockFilter {
	low, high := load(offsetArgs+8*uint32(c.Index)), load(offsetArgs+8*uint32(c.Index)+4)
	test := func(op uint16, value uint64, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: op, K: uint32(value), Jt: yes, Jf: no}
	}
	top := c.Value >> 32
	switch c.Op {
	case specs.OpEqualTo:
		return []unix.SockFilter{high, test(opEqual, top, 0, toFail), low, test(opEqual, c.Value, 0, toFail)}
	case specs.OpNotEqual:
		return []unix.SockFilter{high, test(opEqual, top, 0, toPass), low, test(opEqual, c.Value, toFail, 0)}
	case specs.OpGreaterThan:
		return []unix.SockFilter{high, test(opAbove, top, toPass, 0), test(opEqual, top, 0, toFail), low, test(opAbove, c.Value, 0, toFail)}
	case specs.OpGreaterEqual:
		return []unix.SockFilter{high, test(opAbove, top, toPass, 0), test(opEqual, top, 0, toFail), low, test(opLeast, c.Value, 0, toFail)}
	case specs.OpLessThan:
		return []unix.SockFilter{high, test(opAbove, top, toFail, 0), test(opEqual, top, 0, toPass), low, test(opLeast, c.Value, toFail, 0)}
	case specs.OpLessEqual:
		return []unix.SockFilter{high, test(opAbove, top, toFail, 0), test(opEqual, top, 0, toPass), low, test(opAbove, c.Value, toFail, 0)}
	}
	// SCMP_CMP_MASKED_EQ: checkCondition lets no other through.
	and := func(mask uint64) unix.SockFilter { return unix.SockFilter{Code: opAnd, K: uint32(mask)} }
	return []unix.SockFilter{
		high, and(top), test(opEqual, c.ValueTwo>>32, 0, toFail),
		low, and(c.Value), test(opEqual, c.ValueTwo, 0, toFail),
	}
}

func load(offset uint32) unix.SockFilter { return unix.SockFilter{Code: opLoad, K: offset} }

func ret(answer uint32) unix.SockFilter { return unix.SockFilter{Code: opRet, K: answer} }
