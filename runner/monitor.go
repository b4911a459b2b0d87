package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"unionfs/layerstore/driver"
	"unionfs/runner/sandbox"
)

// MonitorOptions say who else has to do with a container while this process is
// its monitor.
type MonitorOptions struct {
	// Output gets what the container prints; nil for nobody. After an error the
	// program can't write that stream any more.
	Output Output
	// Stdin is what it reads; used when the spec says that it reads.
	Stdin io.Reader
	// Started is called when the program runs, with ways to reach it.
	Started func(Program)
	// Owned says that a client is on its way whose container this is: nothing
	// that is printed before it comes is lost to it, and an early end waits.
	Owned bool
	// Facts of this machine; the zero value is looked up.
	Facts *Facts
}

// Program is a container's program that runs.
type Program struct {
	State State
	// Signal and Resize reach it.
	Signal func(sig int) error
	Resize func(rows, cols uint16) error
}

// monitor is a container's life in this process.
type monitor struct {
	r    *Runner
	c    *Container
	o    MonitorOptions
	hub  *hub
	root *os.File // its root mount
	box  *life
	plan sandbox.Spec
	ctl  *control

	// stateMu is for who writes the container's state.
	stateMu sync.Mutex
	// hints are told when the program fails.
	hints []string

	acct  Accounts
	facts Facts
	ids   sandbox.IDMaps // of the container's own user namespace
	// ended is closed when final says how it ended.
	ended chan struct{}
	final State
	// owner is closed when the owner is attached.
	owner     chan struct{}
	ownerOnce sync.Once
}

// Monitor runs a container from its start to its end, and answers how it ended.
// An error is one of starting: a StartError of the sandbox says which code a
// shell would give. With Spec.Remove the container is gone afterwards.
func (r *Runner) Monitor(ctx context.Context, c *Container, o MonitorOptions) (State, error) {
	lock, err := lockStill(ctx, &c.Snapshot)
	if err != nil {
		if errors.Is(err, errMonitored) {
			err = fmt.Errorf("container %s is running already", c.nameOrID())
		}
		return State{}, err
	}
	m := &monitor{r: r, c: c, o: o, ended: make(chan struct{}), owner: make(chan struct{})}
	st, err := m.run(ctx)
	if err != nil {
		st = failedState(err)
	}
	if werr := m.writeState(st); werr != nil && err == nil {
		err = werr
	}
	lock.release()
	m.final = st
	close(m.ended)
	if m.ctl != nil {
		m.ctl.end()
	}
	if c.Spec.Remove {
		if rerr := r.Remove(context.WithoutCancel(ctx), c, RemoveOptions{Volumes: true}); rerr != nil && err == nil {
			err = rerr
		}
	}
	return st, err
}

// failedState is the state of a container whose program never ran.
func failedState(err error) State {
	st := State{Status: Exited, ExitCode: 125, Error: err.Error(), FinishedAt: time.Now().UTC()}
	var start *sandbox.StartError
	if errors.As(err, &start) {
		st.ExitCode = start.Code
	}
	return st
}

// run does it all under the monitor's lock.
func (m *monitor) run(ctx context.Context) (State, error) {
	mount, err := m.openRoot(ctx)
	if err != nil {
		return State{}, err
	}
	defer letGo(mount, m.root) // the sandbox's hold on it is gone by then
	return m.inMount(ctx)
}

func (m *monitor) inMount(ctx context.Context) (State, error) {
	log, err := openLog(m.c.LogPath())
	if err != nil {
		return State{}, err
	}
	defer log.Close()
	m.hub = newHub(log)
	m.hub.await, m.hub.here = m.o.Owned, m.o.Output
	m.hub.unlogged = func(err error) {
		m.r.Warn(fmt.Sprintf("container %s: not all that it prints is in its log: %v", m.c.nameOrID(), err))
	}
	if err := m.makePlan(); err != nil {
		return State{}, err
	}
	held, err := m.openMounts(ctx)
	if err != nil {
		return State{}, err
	}
	defer held.release() // when the sandbox is gone
	if err := m.openEtc(held); err != nil {
		return State{}, err
	}
	streams, err := m.openStreams()
	if err != nil {
		return State{}, err
	}
	defer streams.close()
	streams.belongTo(&m.plan.Process, m.ids)
	m.plan.Stdio = streams.stdio
	if m.ctl, err = m.r.listenControl(m.c, m); err != nil {
		return State{}, err
	}
	return m.live(ctx, streams)
}

// live starts the program and waits for its end.
func (m *monitor) live(ctx context.Context, s *streams) (State, error) {
	box, err := m.start(ctx)
	s.started()
	if err != nil {
		return State{}, err
	}
	m.box = box
	st := State{Status: Running, PID: box.Pid(), Monitor: os.Getpid(), StartedAt: time.Now().UTC()}
	if err := m.writeState(st); err != nil {
		_ = box.Kill()
	}
	// Who is told that it runs may send it input at once.
	pumped := s.pump(m.hub, box.Console, m.o.Stdin)
	if m.o.Started != nil {
		m.o.Started(Program{st, m.signal, m.resize})
	}
	lives, ended := context.WithCancel(ctx)
	defer ended()
	go giveMemoryBack(lives)
	stop := context.AfterFunc(ctx, func() { _ = box.Kill() })
	defer stop()
	status, err := box.Wait()
	// Where others are in the pid namespace processes of its group may go on,
	// and hold its streams open.
	_ = box.Kill()
	pumped.wait()
	m.awaitOwner()
	if cerr := box.Close(); cerr != nil {
		m.r.Warn(fmt.Sprintf("container %s: %v", m.c.nameOrID(), cerr))
	}
	if err != nil {
		return State{}, err
	}
	st.Status, st.PID, st.Monitor = Exited, 0, 0
	if status.Code != 0 {
		for _, hint := range m.hints {
			m.r.Warn(hint)
		}
	}
	st.ExitCode, st.OOMKilled, st.FinishedAt = status.Code, status.OOMKilled, status.At.UTC()
	return st, nil
}

// ownerPatience is how long an owner may take to come.
const ownerPatience = 5 * time.Second

func (m *monitor) ownerCame() { m.ownerOnce.Do(func() { close(m.owner) }) }

// awaitOwner gives the owner of a container that has ended already the time to
// come.
func (m *monitor) awaitOwner() {
	if !m.o.Owned {
		return
	}
	select {
	case <-m.owner:
	case <-time.After(ownerPatience):
	}
}

// makePlan makes the container's plan and its files.
func (m *monitor) makePlan() error {
	cfg, err := m.r.config(m.c)
	if err != nil {
		return err
	}
	files, err := m.c.Spec.etc(m.c.ID, m.facts)
	if err != nil {
		return err
	}
	if err := m.c.writeEtc(files); err != nil {
		return err
	}
	err = m.inOwnRoot(func(root int) error {
		m.acct = accountsIn(root)
		return m.addKeptAccount(root, cmp.Or(m.c.Spec.Dir, cfg.WorkingDir))
	})
	if err != nil {
		return err
	}
	q := Request{ID: m.c.ID, Spec: m.c.Spec, Config: cfg, Accounts: m.acct, EtcDir: m.c.file("etc"), Mounts: m.c.Spec.mounts()}
	if m.plan, err = NewPlan(q, m.facts); err != nil {
		return err
	}
	m.plan.RootMount = m.root
	return nil
}

func (m *monitor) start(ctx context.Context) (*life, error) {
	if m.c.Spec.Runtime != "" {
		return m.startRuntime(ctx)
	}
	return inSandbox(startSandbox(ctx, &m.plan, m.network))
}

func (m *monitor) signal(sig int) error {
	if m.box == nil {
		return errors.New("it hasn't started yet")
	}
	return m.box.Signal(unix.Signal(sig))
}

func (m *monitor) resize(rows, cols uint16) error {
	if m.box == nil {
		return errors.New("it hasn't started yet")
	}
	return m.box.Resize(rows, cols)
}

// sync brings what the container has written to the driver's files.
func (m *monitor) sync() error {
	err := m.inOwnRoot(m.c.sync)
	driver.Settle()
	return err
}
