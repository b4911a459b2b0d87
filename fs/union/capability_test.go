package union

import (
	"bytes"
	"testing"
)

func TestHostCapability(t *testing.T) {
	m := ids{uids: []IDRange{{Host: 0, Container: 700000, Count: 1000}}}
	caps := "\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	for in, want := range map[string]string{
		"\x01\x00\x00\x03" + caps + "\x60\xae\x0a\x00": "\x01\x00\x00\x02" + caps,                      // 700000 is 0
		"\x00\x00\x00\x03" + caps + "\x65\xae\x0a\x00": "\x00\x00\x00\x03" + caps + "\x05\x00\x00\x00", // and 700005 is 5
		"\x01\x00\x00\x02" + caps:                      "\x01\x00\x00\x02" + caps,
		"":                                             "", "odd": "odd",
	} {
		got, ok := m.hostCapability([]byte(in))
		if !ok || !bytes.Equal(got, []byte(want)) {
			t.Errorf("%x became %x (%v), want %x", in, got, ok, want)
		}
	}
	if got, ok := m.hostCapability([]byte("\x01\x00\x00\x03" + caps + "\x00\x00\x00\x00")); ok {
		t.Errorf("a root that isn't there became %x", got)
	}
}
