package sandbox

import "golang.org/x/sys/unix"

// maxSignal is the kernel's _NSIG.
const maxSignal = 64

// defaultSignals undo what the caller ignores (nohup(1), a shell's background
// jobs) or blocks: execve keeps both.
func defaultSignals() (calls []call) {
	action := new([4]uint64) // struct sigaction of the kernel: SIG_DFL, no flags, no mask
	for s := unix.Signal(1); s <= maxSignal; s++ {
		if s != unix.SIGKILL && s != unix.SIGSTOP {
			calls = append(calls, newCall("reset a signal", unix.SYS_RT_SIGACTION, uintptr(s), pointer(action), 0, 8).optional().keeping(action))
		}
	}
	mask := new(uint64)
	return append(calls, newCall("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, pointer(mask), 0, 8).keeping(mask))
}
