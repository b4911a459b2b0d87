package union

import (
	"sync"

	"golang.org/x/sys/unix"

	"unionfs/fs/hostfs"
)

// inoMap turns inode numbers of several file systems into numbers unique in
// the mount. The first file system (upper's, or the highest layer's) keeps
// its numbers; the others get their place in the high bits, as overlayfs does
// with xino=on. The place of a file system depends only on the order of the
// layers, so numbers survive a remount.
type inoMap struct {
	fold bool // 32 bits
	mu   sync.Mutex
	devs map[uint64]uint16 // st_dev -> place
	ids  map[uint64]uint16 // f_fsid -> place, for origins on disk
	fsid []uint64          // place -> f_fsid
}

const inoFSShift = 48

func newInoMap(fold bool) *inoMap {
	return &inoMap{fold: fold, devs: map[uint64]uint16{}, ids: map[uint64]uint16{}}
}

// addFD answers the place of the file system that fd is on.
func (m *inoMap) addFD(fd int, dev uint64) uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place, ok := m.devs[dev]; ok {
		return place
	}
	var sfs unix.Statfs_t
	id := dev
	if hostfs.Statfs(fd, &sfs) == nil && (sfs.Fsid.Val[0] != 0 || sfs.Fsid.Val[1] != 0) {
		id = uint64(uint32(sfs.Fsid.Val[0])) | uint64(uint32(sfs.Fsid.Val[1]))<<32
	}
	return m.addLocked(dev, id)
}

// device answers the place of a device met below a layer's root.
func (m *inoMap) device(dev uint64) uint16 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if place, ok := m.devs[dev]; ok {
		return place
	}
	return m.addLocked(dev, dev)
}

func (m *inoMap) addLocked(dev, id uint64) uint16 {
	place := uint16(len(m.fsid))
	m.fsid = append(m.fsid, id)
	m.devs[dev] = place
	if _, taken := m.ids[id]; !taken {
		m.ids[id] = place
	}
	return place
}

// present is the number that the mount shows for ino of the file system.
func (m *inoMap) present(fs uint16, ino uint64) uint64 {
	n := ino
	if fs != 0 {
		n ^= uint64(fs) << inoFSShift
	}
	if m.fold && n > 1<<32-1 {
		n = (n ^ n>>32) & (1<<32 - 1)
	}
	return n
}

// identity is an inode on the host, in the form that survives reboots.
type identity struct {
	fsid, ino uint64
}

func (m *inoMap) identity(fs uint16, ino uint64) identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return identity{m.fsid[fs], ino}
}

// known answers the number shown for an identity read from disk.
func (m *inoMap) known(id identity) (uint64, bool) {
	m.mu.Lock()
	place, ok := m.ids[id.fsid]
	m.mu.Unlock()
	if !ok {
		return 0, false
	}
	return m.present(place, id.ino), true
}

func devOf(st *unix.Statx_t) uint64 { return unix.Mkdev(st.Dev_major, st.Dev_minor) }

// inoOf is the number shown for an object of the layer that was never copied up.
func (u *Union) inoOf(l *layer, st *unix.Statx_t) uint64 {
	return u.inos.present(u.placeOf(l, st), st.Ino)
}

func (u *Union) placeOf(l *layer, st *unix.Statx_t) uint16 {
	if dev := devOf(st); dev != l.dev {
		return u.inos.device(dev)
	}
	return l.fs
}
