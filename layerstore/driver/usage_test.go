package driver

import (
	"bytes"
	"os"

	"unionfs/layerstore"
)

// weighs looks at what changes take: about what was written, and nothing for what
// was moved or removed.
func (b *bench) weighs() {
	n := b.prepare("")
	whole := b.usage(n)
	b.in(n, func(dir string) { b.must(os.WriteFile(dir+"/mine", bytes.Repeat([]byte{7}, 1<<20), 0o644)) })
	more := b.usage(n)
	if b.d.Name() != "zfs" && (more-whole < 1<<20 || more-whole > 5<<18) || more <= whole { // zfs squeezes
		b.Errorf("a file of a MiB takes %d bytes", more-whole)
	}
	b.in(n, func(dir string) {
		b.move(dir+"/data", dir+"/moved")
		b.must(os.Remove(dir + "/bin/again"))
	})
	if after := b.usage(n); after-more > 1<<18 {
		b.Errorf("moving and removing takes %d bytes", after-more)
	}
	b.in(n, func(dir string) {
		file, err := os.OpenFile(dir+"/big", os.O_RDWR, 0)
		b.must(err)
		defer file.Close()
		_, err = file.WriteAt([]byte("changed"), 1<<20)
		b.must(err)
	})
	if after := b.usage(n); b.d.Name() == "btrfs" && after-more > bigFile/2 {
		b.Errorf("changing one block of a clone takes %d bytes", after-more)
	}
}

func (b *bench) usage(n layerstore.Snapshot) int64 {
	b.Helper()
	size, err := b.d.Usage(n)
	b.must(err)
	return size
}
