package runner

import (
	"time"

	"unionfs/runner/sandbox"
)

// Spec is what somebody asked of a container. It is kept in the store as JSON.
// What it leaves empty comes from the image's config, and then from defaults.
type Spec struct {
	// Image is the name as asked for; Rootfs is a directory of this machine in
	// its place: DIR, or DIR:O for a union over it.
	Image  string `json:"image,omitempty"`
	Rootfs string `json:"rootfs,omitempty"`

	// Entrypoint, when set, replaces the image's, and its command with it.
	Entrypoint *[]string `json:"entrypoint,omitempty"`
	Args       []string  `json:"args,omitempty"`
	Env        []string  `json:"env,omitempty"` // KEY=VALUE
	// UnsetEnv are variables of the image that are left out; UnsetEnvAll is all.
	UnsetEnv    []string `json:"unsetEnv,omitempty"`
	UnsetEnvAll bool     `json:"unsetEnvAll,omitempty"`
	Umask       *uint32  `json:"umask,omitempty"` // nil is 022
	Dir         string   `json:"dir,omitempty"`
	User        string   `json:"user,omitempty"` // NAME|UID[:GROUP|GID]
	Groups      []string `json:"groups,omitempty"`

	TTY         bool `json:"tty,omitempty"`
	Interactive bool `json:"interactive,omitempty"` // standard input stays open
	Init        bool `json:"init,omitempty"`
	Remove      bool `json:"remove,omitempty"` // with its end
	// AtOnce says that whoever makes it starts it, too.
	AtOnce bool `json:"atOnce,omitempty"`

	Hostname   string   `json:"hostname,omitempty"`
	Domainname string   `json:"domainname,omitempty"`
	AddHosts   []string `json:"addHosts,omitempty"` // NAME:IP
	NoHosts    bool     `json:"noHosts,omitempty"`  // /etc/hosts is the image's
	DNS        []string `json:"dns,omitempty"`
	DNSSearch  []string `json:"dnsSearch,omitempty"`
	DNSOptions []string `json:"dnsOptions,omitempty"`

	Labels map[string]string `json:"labels,omitempty"`

	ReadOnly   bool     `json:"readOnly,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
	CapAdd     []string `json:"capAdd,omitempty"`
	CapDrop    []string `json:"capDrop,omitempty"`
	NoNewPrivs bool     `json:"noNewPrivs,omitempty"`
	// Unmasked leaves out what is hidden of /proc and /sys.
	Unmasked bool `json:"unmasked,omitempty"`
	// Seccomp is a profile in docker's form; "unconfined" is none, "" the
	// default one.
	Seccomp string            `json:"seccomp,omitempty"`
	Devices []string          `json:"devices,omitempty"` // HOST[:CONTAINER[:rwm]]
	Ulimits []string          `json:"ulimits,omitempty"` // NAME=SOFT[:HARD]
	Sysctls map[string]string `json:"sysctls,omitempty"`

	// Runtime is a program that runs the container in place of our sandbox: runc,
	// crun, or a path.
	Runtime string `json:"runtime,omitempty"`

	Resources Resources `json:"resources"`
	ShmSize   int64     `json:"shmSize,omitempty"` // bytes

	// Modes of the namespaces: "" and "private" are new ones, "host" is the
	// caller's.
	PIDMode    string `json:"pidMode,omitempty"`
	IPCMode    string `json:"ipcMode,omitempty"`
	UTSMode    string `json:"utsMode,omitempty"`
	CgroupMode string `json:"cgroupMode,omitempty"`
	NetMode    string `json:"netMode,omitempty"`  // none, host or private
	UserMode   string `json:"userMode,omitempty"` // userMode's words
	// IDs are the container's own ones, with --userns=auto.
	IDs     *sandbox.IDMaps `json:"ids,omitempty"`
	Publish []string        `json:"publish,omitempty"` // [IP:]HOST:CONTAINER[/PROTO]

	// Expose are ports besides those of the image; PublishAll publishes all.
	Expose     []string `json:"expose,omitempty"` // PORT[-PORT][/PROTO]
	PublishAll bool     `json:"publishAll,omitempty"`

	// Mounts are volumes, binds, tmpfs and images. Containers that were made
	// before there were volumes have Binds and Tmpfs instead.
	Mounts []Mount `json:"mounts,omitempty"`
	Binds  []Bind  `json:"binds,omitempty"`
	Tmpfs  []Bind  `json:"tmpfs,omitempty"`
	// VolumesFrom are containers whose mounts this one has too: NAME[:ro|rw].
	VolumesFrom []string `json:"volumesFrom,omitempty"`
	// VolumeDriver makes the volumes that don't say otherwise; "" is ours.
	VolumeDriver string `json:"volumeDriver,omitempty"`
	// RootSize is how many bytes may be written to the root; 0 is any number.
	RootSize int64 `json:"rootSize,omitempty"`

	StopSignal  string         `json:"stopSignal,omitempty"`
	StopTimeout *time.Duration `json:"stopTimeout,omitempty"`
}

// Resources are limits; zero asks for none.
type Resources struct {
	Memory      int64   `json:"memory,omitempty"`     // bytes
	MemorySwap  int64   `json:"memorySwap,omitempty"` // memory and swap, bytes; -1 is unlimited
	CPUs        float64 `json:"cpus,omitempty"`
	CPUShares   uint64  `json:"cpuShares,omitempty"`
	CpusetCPUs  string  `json:"cpusetCpus,omitempty"`
	PIDs        int64   `json:"pids,omitempty"` // -1 is unlimited
	OOMScoreAdj *int    `json:"oomScoreAdj,omitempty"`
}

// Bind is a host's path, or nothing for a tmpfs, at a place in the container.
type Bind struct {
	Source  string   `json:"source,omitempty"`
	Target  string   `json:"target"`
	Options []string `json:"options,omitempty"`
}
