package volumes

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// hasOneID tells whether this process can own files as one user alone: it isn't
// root, or is root of a user namespace with no other id (user_namespaces(7)).
func hasOneID() bool {
	if os.Geteuid() != 0 {
		return true
	}
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	total := 0
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			n, _ := strconv.Atoi(fields[2]) // the kernel's
			total += n
		}
	}
	return total == 1
}

// ownedByUs is an archive whose files are all this process's.
func ownedByUs(in io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(giveAllToUs(w, in)) }() // ends when the reader closes, too
	return r
}

func giveAllToUs(w io.Writer, in io.Reader) error {
	from, to := tar.NewReader(in), tar.NewWriter(w)
	for {
		h, err := from.Next()
		if err == io.EOF {
			return to.Close()
		}
		if err != nil {
			return fmt.Errorf("the archive is damaged: %w", err)
		}
		h.Uid, h.Gid, h.Uname, h.Gname = os.Geteuid(), os.Getegid(), "", ""
		h.Format = tar.FormatPAX
		if err := to.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
		if _, err := io.Copy(to, from); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}
