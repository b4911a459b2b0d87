package transport

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// These environment variables make the test program another process: a client
// of a mount (in the server's own process it would compete for the scheduler),
// or one that mounts, with rights that the tests lack.
const (
	asClient  = "TRANSPORT_TEST_CLIENT"
	asMounter = "TRANSPORT_TEST_MOUNTER"
	asUser    = "TRANSPORT_TEST_USER" // the id that the mounter takes on
	fuseMode  = "TRANSPORT_TEST_FUSE" // the mode of its /dev/fuse, in octal
)

func TestMain(m *testing.M) {
	if what := os.Getenv(asClient); what != "" {
		client(what)
		return
	}
	if path := os.Getenv(asMounter); path != "" {
		err := becomeUser(os.Getenv(asUser))
		if err == nil {
			err = mountAndUse(path, os.Args[1:])
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// becomeUser makes root of a mount namespace of its own an ordinary user, to
// whom /dev/fuse is as open as distributions have it.
func becomeUser(id string) error {
	if id == "" {
		return nil
	}
	uid, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	mode := uint64(0o666)
	if text := os.Getenv(fuseMode); text != "" {
		if mode, err = strconv.ParseUint(text, 8, 12); err != nil {
			return err
		}
	}
	if err := setFuseMode(uint32(mode)); err != nil {
		return err
	}
	return errors.Join(unix.Setgroups(nil), unix.Setgid(uid), unix.Setuid(uid))
}

func setFuseMode(mode uint32) error {
	const scratch = "/mnt"
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	node := scratch + "/fuse"
	if err := unix.Mknod(node, unix.S_IFCHR|mode, int(unix.Mkdev(10, 229))); err != nil {
		return err
	}
	return errors.Join(unix.Chmod(node, mode), unix.Mount(node, devicePath, "", unix.MS_BIND, ""), unix.Unmount(scratch, unix.MNT_DETACH))
}

// mountAndUse is a mount's whole life.
func mountAndUse(path string, options []string) error {
	d, err := Mount(path, MountOptions{Source: "a,b", Options: options})
	if err != nil {
		return err
	}
	fs := newFlat()
	m := serve(d, path, fs, false)
	got, err := readPath(path + "/plain")
	if err != nil || got != string(fs.data) {
		err = fmt.Errorf("read %q, %v", got, err)
	}
	info, infoErr := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(info)) {
		if strings.Contains(line, " "+path+" ") {
			fmt.Print(line)
		}
	}
	return errors.Join(err, infoErr, Unmount(path), <-m.done)
}
