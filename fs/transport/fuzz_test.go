package transport

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// FuzzDispatch: whatever comes, the answer is a reply that the kernel takes, or
// none, and there is no panic: the recorder's own is the only one.
func FuzzDispatch(f *testing.F) {
	for opcode := range uint32(maxOpcode) {
		f.Add(opcode, uint16(0), []byte("name\x00name\x00name\x00name\x00name\x00name\x00name\x00name\x00name\x00"))
		f.Add(opcode, uint16(1), make([]byte, 120))
	}
	f.Fuzz(func(t *testing.T, opcode uint32, extensions uint16, rest []byte) {
		l := newLine(t, &recorder{}, Options{MaxWrite: 4096, Want: ^uint64(0), Debug: func(string) {}})
		if opcode&1 == 0 {
			l.s.negotiated.Store(fuse.CAP_SETXATTR_EXT)
		}
		r := request(opcode, rest)
		header(r).TotalExtlen = extensions
		// The buffer ends with the request: what reads on faults.
		l.ask(r[:len(r):len(r)])
		for _, line := range l.logs {
			if opcode != opAccess && len(line) > 20 && line[:15] == "incident: panic" {
				t.Error(line)
			}
		}
	})
}
