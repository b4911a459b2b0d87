package union

// Config says which directories make the union and how ids, times and names
// are kept. The zero value of every field is the default.
type Config struct {
	// Lower are the read-only layers, highest first. At least one is needed.
	Lower []string
	// Upper takes all changes; empty makes the union read-only.
	Upper string
	// Work is an empty directory of ours on Upper's file system: things are
	// staged there and published in Upper by one rename.
	Work string

	// Volatile turns every sync off, and marks Work while mounted, so that
	// an upper that a crash left behind is refused.
	Volatile bool
	// NoSync turns fsync requests into nothing, without Volatile's mark.
	NoSync bool
	// UserXattr writes user.overlay.* where trusted.overlay.* would be
	// allowed too.
	UserXattr bool
	// RedirectDir is how renames of lower directories are kept.
	RedirectDir RedirectMode
	// NoMetacopy makes every copy-up carry its data along.
	NoMetacopy bool
	// NoIndex lets the names of a lower hard link part at copy-up.
	NoIndex bool

	// Quota, when above zero, is how many bytes upper may take on disk.
	Quota int64

	// UIDMap and GIDMap turn ids of the layers into ids of the mount.
	UIDMap, GIDMap []IDRange
	// SquashUID and SquashGID, when set, are the one owner that all shows.
	SquashUID, SquashGID *uint32
	// XattrPermissions keeps owner, mode and type of files in
	// user.containers.override_stat when it is 1 or 2.
	XattrPermissions int

	// StaticNlink shows one link for every directory.
	StaticNlink bool
	// NoXattrs answers EOPNOTSUPP to all extended attribute requests.
	NoXattrs bool
	// NoACL refuses POSIX ACLs.
	NoACL bool
	// Ino32 folds inode numbers into 32 bits.
	Ino32 bool

	// Live looks at the layers again before every lookup, for people who
	// change them under the mount.
	Live bool

	// Warn gets one line for each thing that works less well than asked
	// for; nil drops them.
	Warn func(line string) `json:"-"`
}

// RedirectMode is the meaning of the redirect_dir option.
type RedirectMode int

const (
	// RedirectOn makes and follows redirects.
	RedirectOn RedirectMode = iota
	// RedirectFollow follows those that exist and makes none.
	RedirectFollow
	// RedirectNoFollow makes none and follows none.
	RedirectNoFollow
)

// IDRange maps Count ids from Host (as the layers' files carry them) to
// Container (as the mount shows them): the option's H:C:N.
type IDRange struct {
	Host, Container, Count uint32
}
