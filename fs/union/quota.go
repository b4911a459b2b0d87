package union

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// quota limits what upper may take on disk. Blocks are counted as stat(2)
// counts them: all of upper and work once, at the mount, and from then on what
// each change of data or of a name makes of them. Where the host has quotas of
// its own for directories (project quotas), those are better.
type quota struct {
	limit int64
	used  atomic.Int64
	// orphans are files without a name that still take room, and orphaned is when
	// the latest became one (Unix time in nanoseconds).
	orphans, orphaned atomic.Int64
}

const (
	blockSize = 512  // of st_blocks
	pageSize  = 4096 // what a write that doesn't fit is cut to
	// dirSize is what each directory counts for: one may grow, and stay so,
	// without being asked.
	dirSize = 4096
)

// openQuota adds up what is there.
func (u *Union) openQuota() error {
	if u.cfg.Quota <= 0 || u.upper == nil {
		return nil
	}
	q := &quota{limit: u.cfg.Quota}
	seen := map[uint64]bool{}
	for _, fd := range []int{u.upper.fd, u.work.fd} {
		if err := q.count(fd, seen); err != nil {
			return err
		}
	}
	u.quota = q
	return nil
}

// count adds the files below a directory, each once.
func (q *quota) count(top int, seen map[uint64]bool) error {
	todo := []string{"."}
	for len(todo) > 0 {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		fd, err := hostfs.OpenDir(top, dir)
		if err != nil {
			return err
		}
		err = hostfs.ListDir(fd, "", func(name []byte, _ uint64, _ uint8) error {
			var st unix.Statx_t
			if err := hostfs.Statx(fd, string(name), &st); err != nil {
				return err
			}
			switch {
			case st.Mode&unix.S_IFMT == unix.S_IFDIR:
				q.used.Add(dirSize)
				todo = append(todo, dir+"/"+string(name))
			case !seen[st.Ino]:
				q.used.Add(int64(st.Blocks) * blockSize)
				seen[st.Ino] = st.Nlink > 1
			}
			return nil
		})
		hostfs.Close(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// reserve takes n bytes, or answers how many are left to take.
func (q *quota) reserve(n int64) (left int64, ok bool) {
	if used := q.used.Add(n); used <= q.limit {
		return 0, true
	}
	used := q.used.Add(-n)
	return max(q.limit-used, 0), false
}

// The kernel tells only by FORGET that nobody has a removed file open any more, a
// moment after unlink(2) came back. Whoever has just removed a file may count on
// its room.
const (
	// orphanPatience is how long what lacks room waits for FORGETs on their way.
	orphanPatience = 500 * time.Millisecond
	statfsPatience = 50 * time.Millisecond
	closePatience  = 20 * time.Millisecond
)

// await is reserve that waits for files to be forgotten that were just removed.
func (q *quota) await(n int64) (ok bool) {
	if _, ok = q.reserve(n); ok {
		return true
	}
	q.awaitForgets(orphanPatience, func() bool {
		_, ok = q.reserve(n)
		return ok
	})
	return ok
}

// awaitForgets waits until enough says so, there are no removed files any more, or
// the latest of them was removed longer than patience ago: that one is open, or was
// closed this very moment.
func (q *quota) awaitForgets(patience time.Duration, enough func() bool) {
	began := time.Now()
	for pause := 50 * time.Microsecond; q.orphans.Load() > 0; pause = min(2*pause, 2*time.Millisecond) {
		waited := time.Since(began) > closePatience && time.Since(time.Unix(0, q.orphaned.Load())) > patience
		if enough() || waited {
			return
		}
		time.Sleep(pause)
	}
	enough() // the last one may have been forgotten since it was asked
}

// orphan notes that a file lives on in work, under a name of its own. The caller
// holds n.mu.
func (u *Union) orphan(n *Inode, name string) {
	n.own().orphan = name
	if u.quota != nil {
		u.quota.orphaned.Store(time.Now().UnixNano())
		u.quota.orphans.Add(1)
	}
}

// removeOrphan removes such a file. An inode that stays forgets its name itself.
func (u *Union) removeOrphan(n *Inode) {
	u.removeStaged(n.seldom().orphan)
	if u.quota != nil {
		u.quota.orphans.Add(-1)
	}
}

// spend runs a change of the file name below fd, or fd itself, that may take up
// to n bytes more, and then counts what it has taken. Without a quota it only
// runs it.
func (u *Union) spend(fd int, name string, n int64, change func() error) error {
	q := u.quota
	if q == nil {
		return change()
	}
	before, err := blocksOf(fd, name)
	if err != nil {
		return err
	}
	if !q.await(n) {
		return unix.ENOSPC
	}
	err = change()
	after, serr := blocksOf(fd, name)
	if serr != nil {
		after = before + n
	}
	q.used.Add(after - before - n)
	return err
}

// spendWrite is spend for a write, which may be cut to what is left: write(2)
// writes as many bytes as there is room for.
func (u *Union) spendWrite(fd int, b []byte, off int64) (written int, err error) {
	write := func() error {
		written, err = hostfs.Pwrite(fd, b, off)
		return err
	}
	if u.quota == nil {
		return written, write()
	}
	need := int64(len(b))
	if overwrites(fd, off, need) {
		need = 0
	}
	err = u.spend(fd, "", need, write)
	if err != unix.ENOSPC || written > 0 {
		return written, err
	}
	if left := max(u.quota.limit-u.quota.used.Load(), 0) &^ (pageSize - 1); left > 0 && left < need {
		b = b[:left]
		err = u.spend(fd, "", left, write)
	}
	return written, err
}

// weight is what a file's data takes on disk, where that matters.
func (u *Union) weight(fd int) int64 {
	if u.quota == nil {
		return 0
	}
	bytes, err := blocksOf(fd, "")
	if err != nil {
		return u.quota.limit
	}
	return bytes
}

// overwrites tells whether a file has blocks for all of a range.
func overwrites(fd int, off, length int64) bool {
	hole, err := hostfs.SeekHole(fd, off)
	if err != nil || hole < off+length {
		return false
	}
	data, err := hostfs.SeekData(fd, off)
	return err == nil && data == off
}

func blocksOf(fd int, name string) (int64, error) {
	var st unix.Statx_t
	err := hostfs.Statx(fd, name, &st)
	return int64(st.Blocks) * blockSize, err
}

// full tells whether there is no room for a new object.
func (u *Union) full() bool {
	if u.quota == nil {
		return false
	}
	full := func() bool { return u.quota.used.Load() >= u.quota.limit }
	if full() {
		u.quota.awaitForgets(orphanPatience, func() bool { return !full() })
	}
	return full()
}

// mkdir makes a directory in upper or work, which counts.
func (u *Union) mkdir(fd int, name string, mode uint32) error {
	err := hostfs.Mkdir(fd, name, mode)
	if err == nil && u.quota != nil {
		u.quota.used.Add(dirSize)
	}
	return err
}

// rmdir is its contrary.
func (u *Union) rmdir(fd int, name string) error {
	err := hostfs.Rmdir(fd, name)
	if err == nil && u.quota != nil {
		u.quota.used.Add(-dirSize)
	}
	return err
}

// removeStaged removes a staged object and gives back what it took, if it was
// the last of its names.
func (u *Union) removeStaged(name string) {
	var st unix.Statx_t
	known := u.quota != nil && hostfs.Statx(u.work.stage.fd, name, &st) == nil
	u.work.remove(name)
	switch {
	case !known:
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		u.quota.used.Add(-dirSize)
	case st.Nlink == 1:
		u.quota.used.Add(-int64(st.Blocks) * blockSize)
	}
}

// limitStatfs makes a description of the host's file system one of the quota.
func (q *quota) limitStatfs(st *unix.Statfs_t) {
	size := uint64(st.Frsize)
	if size == 0 {
		size = uint64(st.Bsize)
	}
	left := max(q.limit-q.used.Load(), 0)
	st.Blocks = min(st.Blocks, uint64(q.limit)/size)
	st.Bfree = min(st.Bfree, uint64(left)/size)
	st.Bavail = min(st.Bavail, uint64(left)/size)
}
