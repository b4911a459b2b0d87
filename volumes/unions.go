package volumes

import (
	"context"
)

// Tree is a stack of directories to be mounted as one.
type Tree struct {
	// Name is the volume's, for messages and /proc/self/mountinfo.
	Name string `json:"name"`
	// Lowers are the frozen layers, the highest first.
	Lowers []string `json:"lowers"`
	// Upper takes the changes; Work belongs to it.
	Upper string `json:"upper"`
	Work  string `json:"work"`
	// Quota, when above zero, is how many bytes Upper may take.
	Quota int64 `json:"quota,omitempty"`
	// Image says that layers of an image are among Lowers.
	Image bool `json:"image,omitempty"`
	// Lock is a file that the server holds locked while it lives (LockServer).
	Lock string `json:"lock"`
	// Namespace, unless it is "", is the file of the mount namespace that the mount
	// is for (OutliveNamespace).
	Namespace string `json:"namespace,omitempty"`
}

// Unions mounts trees, and keeps images as long as volumes are made of them.
type Unions interface {
	// Serve mounts a tree at a directory, and comes back when it is there. It is
	// served until somebody unmounts it, or nobody works in its namespace any more,
	// whatever becomes of this process.
	Serve(ctx context.Context, t Tree, target string) error
	// Hold keeps an image's layers, under a name of the caller's, until LetGo.
	// Doing it again is fine.
	Hold(ctx context.Context, image, name string) error
	// Held are the directories of what is held, the highest first.
	Held(ctx context.Context, name string) ([]string, error)
	// Root is the directory among Held that says what the image's root is like.
	Root(ctx context.Context, name string) (string, error)
	// LetGo ends Hold; it is no error when there was none.
	LetGo(ctx context.Context, name string) error
}
