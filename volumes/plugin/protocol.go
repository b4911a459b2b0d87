package plugin

import "time"

// mediaType is version 1.2 of the protocol. Replies come with any type: old
// plugins say 1.1, others text/plain.
const mediaType = "application/vnd.docker.plugins.v1.2+json"

// volumeDriver is the word for a volume plugin among all that a plugin may be.
const volumeDriver = "VolumeDriver"

// method is one call of the protocol.
type method struct {
	path string
	// patience is how long an answer may take, as long as dockerd waits.
	patience time.Duration
	// reads says that the call changes nothing, so that it may be sent twice.
	reads bool
}

var (
	activate     = method{"/Plugin.Activate", time.Minute, true}
	create       = method{"/VolumeDriver.Create", 2 * time.Minute, false}
	get          = method{"/VolumeDriver.Get", time.Minute, true}
	list         = method{"/VolumeDriver.List", time.Minute, true}
	mount        = method{"/VolumeDriver.Mount", 2 * time.Minute, false}
	unmount      = method{"/VolumeDriver.Unmount", 2 * time.Minute, false}
	path         = method{"/VolumeDriver.Path", time.Minute, true}
	remove       = method{"/VolumeDriver.Remove", 2 * time.Minute, false}
	capabilities = method{"/VolumeDriver.Capabilities", time.Minute, true}
)

// request has the fields of all requests; each call uses some.
type request struct {
	Name string            `json:",omitempty"`
	ID   string            `json:",omitempty"`
	Opts map[string]string `json:",omitempty"`
}

// The forms of what the server answers. Each reply has an Err, empty here.
type (
	implements struct{ Implements []string }
	outcome    struct{ Err string }
	mounted    struct{ Mountpoint, Err string }
	one        struct {
		Volume *volume
		Err    string
	}
	many struct {
		Volumes []*volume
		Err     string
	}
	scoped struct {
		Capabilities struct{ Scope string }
		Err          string
	}
	volume struct {
		Name       string
		Mountpoint string         `json:",omitempty"`
		CreatedAt  string         `json:",omitempty"`
		Status     map[string]any `json:",omitempty"`
	}
)
