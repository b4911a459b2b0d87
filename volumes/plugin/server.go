package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"unionfs/volumes"
)

// requestLimit bounds what a client may send: names and a few options.
const requestLimit = 1 << 20

// usePrefix marks the uses of our clients among those of the driver, so that no
// client can end the use of a container of ours.
const usePrefix = "plugin-"

// Server offers a driver's volumes.
type Server struct {
	Driver volumes.Driver
	// Allowed are the options that Create takes; none when it is nil.
	Allowed Allowed
	// Log is told of each request that failed; may be nil.
	Log func(line string)
}

// Serve answers until the context ends, and then lets requests that were begun
// come to their end. Mounts stay: those who use them know nothing of our end.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(lines(s.log), "", 0),
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		// A mount may take as long as its client is ready to wait.
		last, cancel := context.WithTimeout(context.Background(), mount.patience)
		defer cancel()
		ended <- server.Shutdown(last)
	})
	err := server.Serve(l)
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// action does one call for a client.
type action func(ctx context.Context, r request) (any, error)

// Handler answers the calls of the protocol, and nothing else.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for m, do := range map[method]action{
		activate:     s.activate,
		create:       s.create,
		get:          s.get,
		list:         s.list,
		mount:        s.mount,
		unmount:      s.unmount,
		path:         s.path,
		remove:       s.remove,
		capabilities: s.capabilities,
	} {
		mux.Handle("POST "+m.path, s.answer(m.path, do))
	}
	return mux
}

// answer is what all calls have in common. A refusal has the status 500: podman
// looks at the status alone, and dockerd at both.
func (s *Server) answer(call string, do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, err := decodeRequest(http.MaxBytesReader(w, r.Body, requestLimit))
		if err != nil {
			s.reply(w, http.StatusBadRequest, outcome{err.Error()})
			return
		}
		// Whoever hangs up finds what was asked for done, and not half done.
		answer, err := do(context.WithoutCancel(r.Context()), asked)
		if err != nil {
			if call != get.path || !volumes.IsNotFound(err) { // dockerd asks before each Create
				s.log(fmt.Sprintf("%s of volume %q: %v", call[1:], shorten(asked.Name), err))
			}
			s.reply(w, http.StatusInternalServerError, outcome{err.Error()})
			return
		}
		s.reply(w, http.StatusOK, answer)
	}
}

// decodeRequest takes an empty body too: podman sends none with List.
func decodeRequest(body io.Reader) (asked request, err error) {
	data, err := io.ReadAll(body)
	if err != nil || len(data) == 0 {
		return request{}, err
	}
	if err := json.Unmarshal(data, &asked); err != nil {
		return request{}, fmt.Errorf("the request is no JSON of the volume plugin protocol: %w", err)
	}
	return asked, nil
}

func (s *Server) reply(w http.ResponseWriter, code int, answer any) {
	data, err := json.Marshal(answer)
	if err != nil { // of a Status that JSON can't say
		code, data = http.StatusInternalServerError, []byte(`{"Err":"the answer can't be sent as JSON"}`)
		s.log(err.Error())
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(code)
	if _, err := w.Write(append(data, '\n')); err != nil {
		s.log(fmt.Sprintf("a client went away before its answer: %v", err))
	}
}

func (s *Server) log(line string) {
	if s.Log != nil {
		s.Log(line)
	}
}

// lines hands on what net/http has to say.
type lines func(string)

func (l lines) Write(line []byte) (int, error) {
	l(string(bytes.TrimSpace(line)))
	return len(line), nil
}

func (s *Server) activate(context.Context, request) (any, error) {
	return implements{[]string{volumeDriver}}, nil
}

func (s *Server) create(ctx context.Context, r request) (any, error) {
	if err := checkVolumeName(r.Name); err != nil {
		return nil, err
	}
	if err := s.Allowed.check(r.Opts); err != nil {
		return nil, err
	}
	return outcome{}, s.Driver.Create(ctx, r.Name, r.Opts)
}

func (s *Server) get(ctx context.Context, r request) (any, error) {
	info, err := s.find(ctx, r.Name)
	return one{Volume: described(info)}, err
}

func (s *Server) path(ctx context.Context, r request) (any, error) {
	info, err := s.find(ctx, r.Name)
	return mounted{Mountpoint: info.Mountpoint}, err
}

func (s *Server) find(ctx context.Context, name string) (volumes.Info, error) {
	if err := checkVolumeName(name); err != nil {
		return volumes.Info{}, err
	}
	return s.Driver.Get(ctx, name)
}

func (s *Server) list(ctx context.Context, _ request) (any, error) {
	infos, err := s.Driver.List(ctx)
	all := []*volume{}
	for _, info := range infos {
		all = append(all, described(info))
	}
	return many{Volumes: all}, err
}

func described(info volumes.Info) *volume {
	v := &volume{Name: info.Name, Mountpoint: info.Mountpoint, Status: info.Status}
	if !info.CreatedAt.IsZero() {
		v.CreatedAt = info.CreatedAt.Format(time.RFC3339)
	}
	return v
}

func (s *Server) mount(ctx context.Context, r request) (any, error) {
	use, err := useOf(r)
	if err != nil {
		return nil, err
	}
	at, err := s.Driver.Mount(ctx, r.Name, use)
	return mounted{Mountpoint: at}, err
}

func (s *Server) unmount(ctx context.Context, r request) (any, error) {
	use, err := useOf(r)
	if err != nil {
		return nil, err
	}
	return outcome{}, s.Driver.Unmount(ctx, r.Name, use)
}

// isUseID tells how clients name uses: dockerd and podman send 64 hexadecimal
// digits.
func isUseID(id string) bool { return len(id) <= 128 && pluginName.MatchString(id) }

// useOf names a client's use for the driver.
func useOf(r request) (string, error) {
	if err := checkVolumeName(r.Name); err != nil {
		return "", err
	}
	if r.ID == "" {
		return "", fmt.Errorf("volume %q: a mount has no ID: clients older than Docker 1.12 don't count their mounts, and aren't served", r.Name)
	}
	if !isUseID(r.ID) {
		return "", fmt.Errorf("volume %q: %q is no ID of a mount: up to 128 letters, digits, \"_\", \".\" and \"-\"", r.Name, shorten(r.ID))
	}
	return usePrefix + r.ID, nil
}

func (s *Server) remove(ctx context.Context, r request) (any, error) {
	if err := checkVolumeName(r.Name); err != nil {
		return nil, err
	}
	return outcome{}, s.Driver.Remove(ctx, r.Name)
}

func (s *Server) capabilities(ctx context.Context, _ request) (any, error) {
	var answer scoped
	var err error
	answer.Capabilities.Scope, err = s.Driver.Scope(ctx)
	return answer, err
}
