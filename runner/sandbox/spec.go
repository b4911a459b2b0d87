package sandbox

import (
	"os"
	"time"
)

// Spec is all that a sandbox is told. It knows no images and no volumes: paths
// of the host come in as mounts, everything else as numbers and words. The zero
// value of a field asks for nothing.
type Spec struct {
	// Root is what becomes the root directory: a detached mount (fsmount(2),
	// open_tree(2)) in RootMount, or else the directory RootPath.
	RootMount *os.File `json:"-"`
	RootPath  string   `json:"rootPath,omitempty"`
	// ReadOnly makes the root read-only once all mounts below it are made.
	ReadOnly bool `json:"readOnly,omitempty"`

	Process Process `json:"process"`

	Hostname   string `json:"hostname,omitempty"`
	Domainname string `json:"domainname,omitempty"`

	// Namespaces says which are new; those not named stay the caller's.
	Namespaces []Namespace `json:"namespaces"`
	// IDMaps are those of a new user namespace.
	IDMaps IDMaps `json:"idMaps"`

	// Mounts are made in this order, each resolved beneath the root: no
	// symlink in the root leads out of it.
	Mounts []Mount `json:"mounts,omitempty"`
	// Devices are nodes in /dev, made or (without the right to) bound.
	Devices []Device `json:"devices,omitempty"`
	// Links are symlinks in the root: name → target.
	Links []Link `json:"links,omitempty"`
	// MaskedPaths are hidden, ReadonlyPaths can't be written; paths that
	// aren't there are fine.
	MaskedPaths   []string `json:"maskedPaths,omitempty"`
	ReadonlyPaths []string `json:"readonlyPaths,omitempty"`
	// Sysctls are written in the new namespaces: "net.ipv4.ip_forward" → "1".
	Sysctls map[string]string `json:"sysctls,omitempty"`

	Cgroup Cgroup `json:"cgroup"`

	// Init makes process 1 a reaper that starts the program as its child.
	Init bool `json:"init,omitempty"`

	Stdio Stdio `json:"-"`
}

// Process is a program to run in a sandbox.
type Process struct {
	Args []string `json:"args"`
	Env  []string `json:"env"`
	Dir  string   `json:"dir"`
	// TTY gives it a pseudo terminal of the sandbox as its controlling one.
	TTY bool `json:"tty,omitempty"`

	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
	Umask  *uint32  `json:"umask,omitempty"` // nil is 022

	// Capabilities are those it may ever have: "CAP_CHOWN". A program that
	// isn't root's gets them as bounding set alone.
	Capabilities []string `json:"capabilities"`
	NoNewPrivs   bool     `json:"noNewPrivs,omitempty"`
	// Seccomp is a profile in docker's JSON form; nil filters nothing.
	Seccomp []byte   `json:"seccomp,omitempty"`
	Rlimits []Rlimit `json:"rlimits,omitempty"`
	// OOMScoreAdj, when set, is written to the program's oom_score_adj.
	OOMScoreAdj *int `json:"oomScoreAdj,omitempty"`
}

// Namespace is one that is new, or, with a Path, one that is entered.
type Namespace struct {
	Type NamespaceType `json:"type"`
	Path string        `json:"path,omitempty"`
}

// NamespaceType names a kind of namespace as /proc/PID/ns does.
type NamespaceType string

// The kinds (namespaces(7)).
const (
	UserNS   NamespaceType = "user"
	MountNS  NamespaceType = "mnt"
	PIDNS    NamespaceType = "pid"
	IPCNS    NamespaceType = "ipc"
	UTSNS    NamespaceType = "uts"
	NetNS    NamespaceType = "net"
	CgroupNS NamespaceType = "cgroup"
)

// Mount is one mount below the root.
type Mount struct {
	// Type is "bind", or a file system: proc, sysfs, tmpfs, devpts, mqueue,
	// cgroup, cgroup2 …
	Type string `json:"type"`
	// Source is the host's path of a bind, or what mountinfo shows; Fd, when
	// set, is a detached mount that takes Source's place.
	Source string   `json:"source,omitempty"`
	Fd     *os.File `json:"-"`
	// Subpath is what of Source or Fd is mounted, resolved beneath it.
	Subpath string `json:"subpath,omitempty"`
	// Target is a path in the root. What is missing of it is made: directories
	// 0755 of root, and an empty file for the bind of a file.
	Target string `json:"target"`
	// Options are as mount(8) has them: ro, nosuid, nodev, noexec, rbind,
	// private, rprivate, slave …, and the file system's own (size=64m, mode=…).
	// "rro" makes everything below a recursive bind read-only too.
	Options []string `json:"options,omitempty"`
	// CopyUp fills a tmpfs from what it hides.
	CopyUp bool `json:"copyUp,omitempty"`
	// Optional mounts may fail without a word.
	Optional bool `json:"optional,omitempty"`
	// IDMap asks for an id-mapped bind (mount_setattr(2)).
	IDMap *IDMaps `json:"idMap,omitempty"`
}

// Device is a node in the root.
type Device struct {
	Path  string `json:"path"`
	Type  string `json:"type"` // "c", "b" or "p"
	Major uint32 `json:"major"`
	Minor uint32 `json:"minor"`
	Mode  uint32 `json:"mode"`
	UID   uint32 `json:"uid"`
	GID   uint32 `json:"gid"`
	// Source is the host's node, which is bound where none may be made.
	Source string `json:"source,omitempty"`
	// Access is what the devices cgroup allows: "rwm".
	Access string `json:"access,omitempty"`
}

// Link is a symlink in the root.
type Link struct{ Name, Target string }

// Rlimit is one resource limit (setrlimit(2)); Name is "nofile".
type Rlimit struct {
	Name string `json:"name"`
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Cgroup says what the sandbox may use. An explicit limit that can't be
// enforced here is an error that says what is missing; the cgroup itself is
// made where it can be.
type Cgroup struct {
	// Name is the group's, below the one that this process may make groups in.
	Name string `json:"name,omitempty"`

	MemoryBytes     int64   `json:"memoryBytes,omitempty"`
	MemorySwapBytes int64   `json:"memorySwapBytes,omitempty"` // memory and swap together; -1 unlimited
	CPUs            float64 `json:"cpus,omitempty"`
	CPUShares       uint64  `json:"cpuShares,omitempty"`
	CpusetCPUs      string  `json:"cpusetCpus,omitempty"`
	PIDs            int64   `json:"pids,omitempty"` // 0 asks for nothing, -1 is unlimited
	// Devices says that nodes beside those of Spec.Devices are refused, where
	// a devices cgroup can be had.
	Devices bool `json:"devices,omitempty"`
}

// Stdio are the program's. With a TTY they are not used: the terminal's master
// is Sandbox.Console.
type Stdio struct{ In, Out, Err *os.File }

// Status is how a sandbox's program ended.
type Status struct {
	// Code is the exit status; 128+Signal for one that a signal ended.
	Code   int
	Signal int
	// OOMKilled says that the kernel ended it, or a process of it, for want
	// of memory.
	OOMKilled bool
	At        time.Time
}

// StartError says that the program never ran. Code is docker's: 127 when it
// wasn't found, 126 when it couldn't be executed, 125 for all else.
type StartError struct {
	Code int
	Step string // what was being done
	Err  error
}

func (e *StartError) Error() string { return e.Step + ": " + e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }
