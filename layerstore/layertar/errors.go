package layertar

import "fmt"

// LimitError says that an archive holds more than UnpackOptions allow.
type LimitError struct {
	What  string
	Limit int64
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the archive holds more than %d %s, the most that is allowed", e.Limit, e.What)
}

// NameError says that a layer archive can't hold a file because of its name.
type NameError struct {
	Path   string
	Reason string
}

func (e *NameError) Error() string { return fmt.Sprintf("%q: %s", e.Path, e.Reason) }
