package hostfs

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadAndWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, d int) {
		fd := open(t, d, "f", unix.O_CREAT|unix.O_RDWR)
		n, err := Pwrite(fd, []byte("0123456789"), 5)
		if n != 10 || err != nil {
			t.Fatal(n, err)
		}
		buf := make([]byte, 100)
		n, err = Pread(fd, buf, 7)
		if err != nil || string(buf[:n]) != "23456789" {
			t.Errorf("%q, %v", buf[:n], err)
		}
		check(t, Ftruncate(fd, 6))
		check(t, Fallocate(fd, 0, 0, 4096))
		check(t, Fsync(fd))
		check(t, Fdatasync(fd))
		if st := stat(t, fd, ""); st.Size != 4096 {
			t.Errorf("size %d", st.Size)
		}
		_, err = Pwrite(open(t, d, "f", unix.O_RDONLY), []byte("x"), 0)
		want(t, err, unix.EBADF)
		check(t, Syncfs(fd))
	})
}

func TestCopyData(t *testing.T) {
	const hole = 4 << 20
	everywhere(t, func(t *testing.T, d int) {
		src := open(t, d, "src", unix.O_CREAT|unix.O_RDWR)
		for i := range 3 {
			_, err := Pwrite(src, bytes.Repeat([]byte{byte('a' + i)}, 5000), int64(i)*hole)
			check(t, err)
		}
		check(t, Ftruncate(src, 4*hole))
		for _, size := range []int64{0, 1, 4999, hole, hole + 10, 4 * hole, 4*hole + 5} {
			for _, sparse := range []bool{true, false} {
				dst := open(t, d, "dst", unix.O_CREAT|unix.O_RDWR)
				check(t, CopyData(dst, src, size, sparse))
				a, b := make([]byte, size), make([]byte, size)
				_, err := Pread(src, a, 0)
				check(t, err)
				n, err := Pread(dst, b, 0)
				check(t, err)
				if int64(n) != size || !bytes.Equal(a, b) {
					t.Errorf("size %d, sparse %v: %d bytes differ", size, sparse, n)
				}
				if st := stat(t, dst, ""); int64(st.Size) != size || sparse && st.Blocks*512 > 1<<20 {
					t.Errorf("size %d is %d, %d blocks", size, st.Size, st.Blocks)
				}
				check(t, Unlink(d, "dst"))
			}
		}
	})
}

func TestCopyRangeAcrossFileSystems(t *testing.T) {
	shm, err := os.MkdirTemp("/dev/shm", "hostfs")
	if err != nil {
		t.Skip("no writable tmpfs:", err)
	}
	defer os.RemoveAll(shm)
	src := open(t, place(t, t.TempDir()), "src", unix.O_CREAT|unix.O_RDWR)
	dst := open(t, place(t, shm), "dst", unix.O_CREAT|unix.O_RDWR)
	data := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // more than a buffer
	_, err = Pwrite(src, data, 0)
	check(t, err)
	n, err := CopyRange(dst, 3, src, 5, int64(len(data)))
	if err != nil || n != int64(len(data))-5 {
		t.Fatal(n, err)
	}
	got := make([]byte, len(data))
	k, err := Pread(dst, got, 3)
	check(t, err)
	if !bytes.Equal(got[:k], data[5:]) {
		t.Error("differs")
	}
	_, err = CopyRange(src, 0, open(t, place(t, shm), "dst", unix.O_WRONLY), 0, 1)
	want(t, err, unix.EBADF)
}

func TestCopyRangeOfFileWithoutSize(t *testing.T) {
	proc := open(t, place(t, "/proc/self"), "status", unix.O_RDONLY)
	dst := open(t, place(t, t.TempDir()), "dst", unix.O_CREAT|unix.O_RDWR)
	n, err := CopyRange(dst, 0, proc, 0, 1<<20)
	if err != nil || n == 0 {
		t.Error(n, err)
	}
}
