package fstest

import (
	"os"

	"golang.org/x/sys/unix"
)

// statChecks: statfs, statx, ioctls.
var statChecks = []check{
	{name: "stat/statfs", run: func(e *env) {
		var st unix.Statfs_t
		e.must(unix.Statfs(e.p("deep"), &st))
		if st.Namelen != 255 || st.Bsize == 0 || st.Blocks == 0 || st.Files == 0 {
			e.Errorf("statfs: %+v", st)
		}
	}},
	{name: "stat/birth-time", run: func(e *env) {
		e.write("born", "x")
		for _, p := range []string{"born", "both"} {
			var st unix.Statx_t
			e.must(unix.Statx(unix.AT_FDCWD, e.p(p), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st))
			if st.Mask&unix.STATX_BTIME == 0 || st.Btime.Sec == 0 {
				e.Errorf("%s: no birth time: mask %#x, %+v", p, st.Mask, st.Btime)
			}
		}
	}},
	{name: "stat/blocks", layers: sparseLayers(), run: func(e *env) {
		if st := e.lstat("s"); st.Blocks*512 > 1<<20 {
			e.Errorf("a sparse file of one island says %d blocks", st.Blocks)
		}
		if st := e.lstat("big"); st.Blocks*512 < 4<<20 {
			e.Errorf("a full file of 4 MiB says %d blocks", st.Blocks)
		}
	}},
	{name: "ioctl/flags-and-unknown", run: func(e *env) {
		f := e.open("low", os.O_RDONLY)
		if _, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS); err != nil && err != unix.ENOTTY {
			e.Errorf("FS_IOC_GETFLAGS: %v", err)
		}
		_, err := unix.IoctlGetInt(int(f.Fd()), 0x7a01) // 'z', 1: nobody's
		e.want("unknown ioctl", err, unix.ENOTTY)
		e.close(f)
	}},
	{name: "ioctl/change-flags", run: changeFlags},
	{name: "stat/every-type-after-forget", run: func(e *env) {
		before := e.tree()
		for range 2 {
			e.m.Remount(e)
			dropCaches()
			if diff := Diff(before, e.tree()); diff != "" {
				e.Errorf("after the caches went:\n%s", diff)
			}
		}
	}},
}

// changeFlags is chattr(1) of lower objects, where the host has such flags.
func changeFlags(e *env) {
	const nodump = 0x40 // FS_NODUMP_FL
	if _, err := flagsOf(e.m.Upper()); err == unix.ENOTTY || err == unix.EOPNOTSUPP {
		e.Logf("the file system of upper has no flags: %v", err)
		return
	}
	for _, p := range []string{"low", "deep"} {
		flags, err := flagsOf(e.p(p))
		e.must(err)
		f := e.open(p, os.O_RDONLY)
		e.must(unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, int(flags|nodump)))
		e.close(f)
	}
	e.m.Remount(e)
	for _, p := range []string{"low", "deep"} {
		if flags, err := flagsOf(e.p(p)); err != nil || flags&nodump == 0 {
			e.Errorf("%s has flags %#x (%v), nodump was set", p, flags, err)
		}
	}
	e.content("low", "low")
}

func flagsOf(path string) (uint32, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
}

// dropCaches makes the kernel forget names and inodes where root may ask for
// it: the next look-up comes to the file system again.
func dropCaches() {
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0) // not allowed: then the caches stay
}
