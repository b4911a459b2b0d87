package sandbox

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// withKey runs the probe from a thread whose session keyring has a key. The
// thread isn't used again.
func withKey(t *testing.T) string {
	runtime.LockOSThread()
	if _, err := unix.KeyctlJoinSessionKeyring(""); err != nil {
		t.Logf("this kernel has no keyrings: %v", err)
		return "found: false"
	}
	if _, err := unix.AddKey("user", "sandbox-test", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		t.Errorf("a key: %v", err)
	}
	return probe(t, "keyring", func(s *Spec) { s.Process.Seccomp = nil })
}
