package runner

import "golang.org/x/sys/unix"

// maxAccounts is how much of a file of accounts is read: a container's files are
// whatever its makers put there.
const maxAccounts = 16 << 20

// accountsIn reads the accounts of a root file system. No symlink in it leads
// out of it; files that aren't there are empty.
func accountsIn(root int) Accounts {
	return Accounts{Passwd: readIn(root, "etc/passwd"), Group: readIn(root, "etc/group")}
}

func readIn(root int, path string) string {
	fd, err := unix.Openat2(root, path, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return ""
	}
	// By bare calls: the os package asks epoll about its files, and with a
	// processor held that the server of this mount, which may be this process,
	// needs to answer.
	var text []byte
	buf := make([]byte, 64<<10)
	for len(text) < maxAccounts {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	return string(text)
}
