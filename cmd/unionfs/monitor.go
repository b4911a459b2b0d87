package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"unionfs/runner"
)

// monitorWord is the hidden command that is a container's monitor in the
// background. On its ready pipe it says when the program runs, or why not.
const monitorWord = "__monitor"

// verdict is what a monitor says of the start.
type verdict struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
}

func monitorCommand(f *storeFlags) *cobra.Command {
	var owned bool
	cmd := &cobra.Command{
		Use:    monitorWord + " ID",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.containers()
			if err != nil {
				return err
			}
			c, err := h.Runner.Find(args[0])
			if err != nil {
				return err
			}
			return monitorInBackground(cmd.Context(), h, &c, takeStarter(), owned)
		},
	}
	cmd.Flags().BoolVar(&owned, "owned", false, "somebody is about to attach")
	return cmd
}

func monitorInBackground(ctx context.Context, h *house, c *runner.Container, back *starter, owned bool) error {
	raiseDescriptorLimit()
	told := false
	tell := func(v verdict) bool {
		if told || back == nil {
			return false
		}
		told = true
		if v.Error == "" {
			_ = detachOutput() // who waits for the end of our stderr gets it
		}
		_ = json.NewEncoder(back.pipe).Encode(v) // nobody waits any more
		back.pipe.Close()
		return true
	}
	o := runner.MonitorOptions{Owned: owned, Started: func(runner.Program) { tell(verdict{}) }}
	st, err := h.Monitor(ctx, c, o) // a signal to end ends the container
	if err != nil && tell(verdict{st.ExitCode, err.Error()}) {
		return exitWith{st.ExitCode} // who started it says why
	}
	return err
}

// startInBackground starts a container's monitor and comes back when the
// program runs.
func startInBackground(f *storeFlags, h *house, c *runner.Container) error {
	return startMonitor(f, h, c, false)
}

// startMonitor is startInBackground; with owned the caller is about to attach.
func startMonitor(f *storeFlags, h *house, c *runner.Container, owned bool) error {
	ready, done, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	process, err := spawnMonitor(f, h, c, done, owned)
	done.Close()
	if err != nil {
		return fmt.Errorf("can't start the monitor: %w", err)
	}
	var v verdict
	text, err := io.ReadAll(ready)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		_, _ = process.Wait()
		return fmt.Errorf("the monitor of container %s ended before the program ran", c.Short())
	}
	if v.Error != "" {
		_, _ = process.Wait() // until all is cleared away
		say("%s", v.Error)
		return exitWith{v.Code}
	}
	return nil
}

func spawnMonitor(f *storeFlags, h *house, c *runner.Container, done *os.File, owned bool) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	self, err := ownPath()
	if err != nil {
		return nil, err
	}
	if err := keepDescriptorsHome(); err != nil {
		return nil, err
	}
	args := []string{"unionfs", "--root", h.shop.Root(), "--storage-driver", h.conf.StorageDriver}
	if f.config != "" {
		args = append(args, "--config", f.config)
	}
	args = append(args, monitorWord, c.ID)
	if owned {
		args = append(args, "--owned")
	}
	return os.StartProcess(self, args, &os.ProcAttr{
		Env:   append(os.Environ(), readyEnv+"="+strconv.Itoa(readyFD)),
		Files: []*os.File{null, null, os.Stderr, done},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
}
