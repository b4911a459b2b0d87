package union

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// lock takes the directory for this process with flock(2), which ends with
// the process whatever happens to it. The mount before us may still be on its
// way out, so a holder is given a moment.
func (w *work) lock(dirfd int, what string) error {
	if holder := overlayHolder(dirfd); holder != "" {
		return fmt.Errorf("%s is in use by the kernel's overlay mounted on %s", what, holder)
	}
	fd, err := hostfs.Reopen(dirfd, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return fmt.Errorf("%s: can't be opened for reading: %w", what, err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			w.locks = append(w.locks, fd)
			return nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			hostfs.Close(fd)
			return fmt.Errorf("%s: can't be locked: %w", what, err)
		}
		if time.Now().After(deadline) {
			break
		}
	}
	defer hostfs.Close(fd)
	return fmt.Errorf("%s is in use by another mount%s: unmount that first", what, flockHolder(fd))
}

// flockHolder names the process that holds the lock, as far as proc_locks(5)
// shows it to us.
func flockHolder(fd int) string {
	var st unix.Statx_t
	if hostfs.Statx(fd, "", &st) != nil {
		return ""
	}
	inode := fmt.Sprintf("%02x:%02x:%d", st.Dev_major, st.Dev_minor, st.Ino)
	f, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// 1: FLOCK ADVISORY WRITE pid major:minor:inode start end
		field := strings.Fields(lines.Text())
		if len(field) < 6 || field[1] != "FLOCK" || field[5] != inode {
			continue
		}
		if pid, err := strconv.Atoi(field[4]); err == nil && pid > 0 {
			return fmt.Sprintf(" (pid %d)", pid)
		}
	}
	return ""
}

// overlayHolder answers where a kernel overlay that uses the directory as
// upper or work is mounted, or "".
func overlayHolder(dirfd int) string {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(dirfd))
	if err != nil {
		return ""
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// ... mountpoint ... - overlay source options; proc_pid_mountinfo(5)
		head, tail, ok := strings.Cut(lines.Text(), " - overlay ")
		if !ok {
			continue
		}
		field := strings.Fields(head)
		_, options, _ := strings.Cut(tail, " ")
		for option := range strings.SplitSeq(options, ",") {
			if len(field) > 4 && (option == "upperdir="+path || option == "workdir="+path) {
				return field[4]
			}
		}
	}
	return ""
}
