package sandbox

import (
	"os"
	"reflect"
	"testing"
)

func TestProgramMaps(t *testing.T) {
	const maps = `00400000-01000000 r-xp 00000000 fe:00 1234                               /bin/unionfs (deleted)
01000000-02000000 r--p 00c00000 fe:00 1234                               /bin/unionfs (deleted)
02000000-02100000 rw-p 01c00000 fe:00 1234                               /bin/unionfs (deleted)
c000000000-c000400000 rw-p 00000000 00:00 0                              [anon: Go: heap]
7f0000000000-7f0000100000 r--s 00000000 fe:00 77                         /store/index
7ffc00000000-7ffc00002000 r-xp 00000000 00:00 0                          [vdso]
`
	want := []addresses{{0x400000, 0x1000000}, {0x1000000, 0x2000000}}
	if got := programMaps([]byte(maps)); !reflect.DeepEqual(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	own, err := os.ReadFile("/proc/self/maps")
	if err != nil || len(programMaps(own)) == 0 {
		t.Errorf("nothing of this program is mapped: %v\n%s", err, own)
	}
	GiveMemoryBack()
}
