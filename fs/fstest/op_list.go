package fstest

import (
	"fmt"
	"strings"
)

// GoString is the operation as Go source: pasted into a table it makes a
// regression test of a shrunk sequence.
func (o Op) GoString() string {
	var b strings.Builder
	fmt.Fprintf(&b, "{Kind: %s", o.Kind)
	text := func(name, v string) {
		if v != "" {
			fmt.Fprintf(&b, ", %s: %q", name, v)
		}
	}
	number := func(name string, v int64) {
		if v != 0 {
			fmt.Fprintf(&b, ", %s: %#x", name, v)
		}
	}
	text("Path", o.Path)
	text("To", o.To)
	number("Slot", int64(o.Slot))
	number("Flags", int64(o.Flags))
	number("Mode", int64(o.Mode))
	number("UID", int64(o.UID))
	number("GID", int64(o.GID))
	number("Off", o.Off)
	number("Len", o.Len)
	text("Name", o.Name)
	text("Data", o.Data)
	b.WriteString("}")
	return b.String()
}

// GoList is a sequence as the literal of a []Op, each line with its meaning.
func GoList(ops []Op) string {
	var b strings.Builder
	b.WriteString("[]Op{\n")
	for _, op := range ops {
		fmt.Fprintf(&b, "\t%#v, // %s\n", op, op)
	}
	b.WriteString("}\n")
	return b.String()
}
