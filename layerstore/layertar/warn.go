package layertar

import (
	"fmt"
	"sync"
)

// warner passes words on, one at a time.
type warner struct {
	say  func(string)
	mu   sync.Mutex
	said map[string]bool
}

func (w *warner) warn(format string, args ...any) {
	if w.say == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(fmt.Sprintf(format, args...))
}

// once warns of what would otherwise be said for each of many files.
func (w *warner) once(subject, format string, args ...any) {
	w.mu.Lock()
	seen := w.said[subject]
	if w.said == nil {
		w.said = map[string]bool{}
	}
	w.said[subject] = true
	w.mu.Unlock()
	if !seen {
		w.warn(format, args...)
	}
}
