package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// probeEnv makes the test program one that tries something in a sandbox, and
// says what came of it.
const probeEnv = "SANDBOX_TEST_PROBE"

var probes = map[string]func() error{
	"self": probeSelf, "keyring": probeKeyring, "session": probeSession, "chroot": probeChroot, "escape": probeEscape,
	"nested": probeNested,
	"user":   func() error { fmt.Println("user", os.Geteuid()); return nil },
}

func actAsProbe() {
	name, ok := os.LookupEnv(probeEnv)
	if !ok {
		return
	}
	if err := probes[name](); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// probe is a change of a spec that runs a probe in it.
func probe(t testing.TB, name string, change ...func(*Spec)) string {
	t.Helper()
	if probes[name] == nil {
		t.Fatalf("there is no probe %s", name)
	}
	s := testSpec(t, "/probe")
	s.Process.Env = append(s.Process.Env, probeEnv+"="+name)
	s.Mounts = append(s.Mounts, Mount{Type: "bind", Source: "/proc/self/exe", Target: "/probe", Options: []string{"bind", "ro"}})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Mounts[len(s.Mounts)-1].Source = self
	for _, c := range change {
		c(&s)
	}
	out, status := run(t, s)
	if status.Code != 0 {
		t.Errorf("probe %s: status %d: %s", name, status.Code, out)
	}
	return out
}

// probeSelf tries to write the file of the running program, as CVE-2019-5736
// did: by a path that stays when the program is gone.
func probeSelf() error {
	fd, err := unix.Open("/proc/self/exe", unix.O_PATH, 0)
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	fmt.Println("read-only:", fs.Flags&unix.ST_RDONLY != 0)
	if seals, err := sealsOf(fd); err == nil {
		fmt.Println("sealed:", seals&unix.F_SEAL_WRITE != 0)
	}
	path := "/proc/self/fd/" + strconv.Itoa(fd)
	return unix.Exec("/bin/sh", []string{"sh", "-c", "if echo overwritten > " + path + "; then echo written; fi 2>&1; true"}, []string{"PATH=/bin"})
}

func sealsOf(fd int) (int, error) {
	readable, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(readable)
	return unix.FcntlInt(uintptr(readable), unix.F_GET_SEALS, 0)
}

// probeKeyring looks for the key that the caller has.
func probeKeyring() error {
	id, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "sandbox-test", 0)
	fmt.Println("found:", err == nil, id)
	return nil
}

func probeSession() error {
	sid, err := unix.Getsid(0)
	if err != nil {
		return err
	}
	_, err = unix.Open("/dev/tty", unix.O_RDWR, 0)
	fmt.Println("leads its session:", sid == os.Getpid(), "terminal:", err == nil)
	// Even on a terminal that was handed in, nothing can be typed.
	var letter byte = 'x'
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, 0, unix.TIOCSTI, pointer(&letter))
	fmt.Println("typed:", errno == 0)
	return nil
}

// probeChroot climbs out of a chroot into what is above it.
func probeChroot() error {
	if err := os.MkdirAll("/tmp/jail", 0o755); err != nil {
		return err
	}
	if err := unix.Chroot("/tmp/jail"); err != nil {
		return err
	}
	for range 50 {
		if err := unix.Chdir(".."); err != nil {
			return err
		}
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		return err
	}
	fmt.Println("inode", st.Ino)
	return nil
}

// probeEscape tries what must be refused, and names what wasn't.
func probeEscape() error {
	pid := os.Getpid()
	for _, try := range []struct {
		name string
		do   func() error
	}{
		{"mount", func() error { return unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "") }},
		{"bind", func() error { return unix.Mount("/", "/tmp", "", unix.MS_BIND, "") }},
		{"remount", func() error { return unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
		{"umount mask", func() error { return unix.Unmount("/proc/kcore", unix.MNT_DETACH) }},
		{"pivot", func() error { return unix.PivotRoot("/", "/") }},
		{"fsopen", func() error { _, err := unix.Fsopen("tmpfs", 0); return err }},
		{"unshare mounts", func() error { return unix.Unshare(unix.CLONE_NEWNS) }},
		{"hostname", func() error { return unix.Sethostname([]byte("pwned")) }},
		{"module", func() error { return unix.InitModule([]byte("x"), "") }},
		{"clock", func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) }},
		{"swap", func() error { _, _, e := unix.Syscall(unix.SYS_SWAPON, 0, 0, 0); return errnoOrNil(e) }},
		{"reboot", func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) }},
		{"trace init", func() error {
			if pid == 1 {
				return unix.EPERM
			}
			return unix.PtraceAttach(1)
		}},
		{"open by handle", func() error {
			_, err := unix.OpenByHandleAt(unix.AT_FDCWD, unix.NewFileHandle(1, []byte{2, 0, 0, 0, 0, 0, 0, 0}), 0)
			return err
		}},
		{"write sysctl", func() error { return writeFile("/proc/sys/kernel/domainname", "x") }},
		{"sysrq", func() error { return writeFile("/proc/sysrq-trigger", "h") }},
		{"core pattern", func() error { return writeFile("/proc/sys/kernel/core_pattern", "|/x") }},
		{"uevent helper", func() error { return writeFile("/sys/kernel/uevent_helper", "/x") }},
		{"set namespace", func() error {
			fd, err := unix.Open("/proc/1/ns/mnt", unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Setns(fd, 0)
		}},
		{"inherited descriptor", func() error {
			for fd := 3; fd < 64; fd++ {
				if link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)); err == nil && strings.HasPrefix(link, "/") {
					fmt.Println("descriptor", fd, link)
					return nil
				}
			}
			return unix.EBADF
		}},
	} {
		if err := try.do(); err == nil {
			fmt.Println("possible:", try.name)
		}
	}
	return nil
}

func errnoOrNil(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// probeNested starts another sandbox on the same root.
func probeNested() error {
	one := []IDRange{{Inside: 0, Host: 0, Count: 1}}
	sb, err := Start(context.Background(), Spec{
		RootPath: "/",
		Process: Process{
			Args: []string{"/bin/sh", "-c", "echo $(id -u) $(hostname) $$; test -d /proc/self/fd && echo proc works; test -d /sys/class && echo sys works; exit 4"},
			Env:  []string{"PATH=/bin"},
		},
		Hostname:   "inner",
		Namespaces: []Namespace{{Type: UserNS}, {Type: MountNS}, {Type: PIDNS}, {Type: UTSNS}, {Type: NetNS}},
		IDMaps:     IDMaps{UIDs: one, GIDs: one},
		Mounts: []Mount{
			{Type: "proc", Source: "proc", Target: "/proc", Options: []string{"nosuid", "noexec", "nodev"}},
			{Type: "sysfs", Source: "sysfs", Target: "/sys", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		},
		MaskedPaths: []string{"/proc/keys"},
		Stdio:       Stdio{Out: os.Stdout, Err: os.Stderr},
	})
	if err != nil {
		return err
	}
	status, err := sb.Wait()
	if err == nil && status.Code != 4 {
		err = fmt.Errorf("%+v", status)
	}
	return errors.Join(err, sb.Close())
}
