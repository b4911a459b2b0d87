package plugin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is a plugin's own refusal of a call.
type Error struct {
	Plugin string
	Call   string // "VolumeDriver.Mount"
	Volume string // "" where the call is about none
	Text   string // in the plugin's words, shortened
	Status int    // of HTTP: some plugins refuse with 200
}

func (e *Error) Error() string {
	return fmt.Sprintf("volume plugin %s, %s%s: %s", e.Plugin, e.Call, of(e.Volume), e.Text)
}

// unknownCall says that the plugin is older than the call. Plugins that know it
// and find no volume say so in Err.
func (e *Error) unknownCall() bool {
	return e.Status == http.StatusNotFound
}

// says looks for words in a refusal: the protocol has no codes.
func (e *Error) says(words ...string) bool {
	text := strings.ToLower(e.Text)
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// UnreachableError says that nobody answers for a plugin.
type UnreachableError struct {
	Plugin string
	Where  string // the file or address that was tried
	Waited time.Duration
	Err    error
}

func (e *UnreachableError) Error() string {
	waited := ""
	if e.Waited >= time.Second {
		waited = fmt.Sprintf(" (tried for %s)", e.Waited.Round(time.Second))
	}
	return fmt.Sprintf("volume plugin %s doesn't answer at %s: %v%s: is it running?", e.Plugin, e.Where, e.Err, waited)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// LostError says that a plugin went away, or took too long, between a request
// and its answer: whether the call was done is unknown.
type LostError struct {
	Plugin, Where, Call, Volume string
	Err                         error
}

func (e *LostError) Error() string {
	return fmt.Sprintf("volume plugin %s at %s gave no answer to %s%s: %v", e.Plugin, e.Where, e.Call, of(e.Volume), e.Err)
}

func (e *LostError) Unwrap() error { return e.Err }

// ReplyError says that an answer makes no sense.
type ReplyError struct {
	Plugin, Call, Volume string
	What                 string
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("volume plugin %s, %s%s: %s", e.Plugin, e.Call, of(e.Volume), e.What)
}

func of(volume string) string {
	if volume == "" {
		return ""
	}
	return fmt.Sprintf(" of volume %q", volume)
}

// refusal answers the plugin's refusal in err, nil when it is something else.
func refusal(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
