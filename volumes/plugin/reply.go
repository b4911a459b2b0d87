package plugin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"unionfs/volumes"
)

// replyLimit is more than any list of volumes needs, and less than what hurts.
const replyLimit = 16 << 20

// reply has the fields of all replies. Plugins send those of others too, left
// empty, so that one form reads all.
type reply struct {
	Err          text
	Implements   []string
	Mountpoint   text
	Volume       *listed
	Volumes      listing
	Capabilities *struct{ Scope text }
}

// listed is a volume in a reply.
type listed struct {
	Name       text
	Mountpoint text
	CreatedAt  text
	Status     status
}

// text is a string, or whatever else a plugin puts in its place.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	switch {
	case string(raw) == "null" || string(raw) == "false":
		*t = ""
	case json.Unmarshal(raw, &s) == nil:
		*t = text(s)
	default:
		*t = text(raw)
	}
	return nil
}

// status is the driver's own words about a volume. Nothing depends on them, so
// that a strange form is no error.
type status map[string]any

func (s *status) UnmarshalJSON(raw []byte) error {
	var fields map[string]any
	if json.Unmarshal(raw, &fields) == nil {
		*s = fields
	}
	return nil
}

// listing is a list; there are languages in which an empty one is {}.
type listing []*listed

func (l *listing) UnmarshalJSON(raw []byte) error {
	if compact := bytes.Join(bytes.Fields(raw), nil); string(compact) == "{}" || string(compact) == `""` {
		*l = nil
		return nil
	}
	return json.Unmarshal(raw, (*[]*listed)(l))
}

// read takes an answer's body, bounded.
func read(body io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(body, replyLimit+1))
	if err != nil {
		return nil, err
	}
	if len(data) > replyLimit {
		return nil, errTooLong
	}
	return data, nil
}

var errTooLong = fmt.Errorf("the reply is longer than %d MiB", replyLimit>>20)

// decode tells a refusal from an answer. Refusals come with the status 500, as
// Docker's own library sends them, with 200 and an Err, or with no JSON at all.
func decode(code int, body []byte) (reply, error) {
	var r reply
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	err := json.Unmarshal(body, &r)
	switch {
	case err == nil && r.Err != "":
		// With Err it is no missing call, whatever the status says.
		return reply{}, &Error{Text: shorten(string(r.Err)), Status: http.StatusInternalServerError}
	case code < 200 || code > 299:
		return reply{}, &Error{Text: explain(code, body), Status: code}
	case len(body) == 0:
		return reply{}, nil
	case err != nil:
		return reply{}, fmt.Errorf("the reply is no JSON that a plugin sends: %q", shorten(string(body)))
	}
	return r, nil
}

// explain makes a message of an error that came without Err.
func explain(code int, body []byte) string {
	about := fmt.Sprintf("HTTP %d %s", code, http.StatusText(code))
	if said := shorten(string(body)); said != "" && said != "{}" {
		about += ": " + said
	}
	return strings.TrimSpace(about)
}

// info makes ours of theirs. A mountpoint that is no absolute path is none.
func (l *listed) info() volumes.Info {
	i := volumes.Info{Name: string(l.Name), Status: l.Status}
	if filepath.IsAbs(string(l.Mountpoint)) {
		i.Mountpoint = filepath.Clean(string(l.Mountpoint))
	}
	if at, err := time.Parse(time.RFC3339, string(l.CreatedAt)); err == nil {
		i.CreatedAt = at
	}
	return i
}
