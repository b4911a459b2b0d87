package bench

import "slices"

// Workload is work that is measured.
type Workload struct {
	Name string `json:"name"`
	What string `json:"what"`
	// Unit of the measure; seconds when empty.
	Unit string `json:"unit,omitempty"`
	// lowers are the fixtures below, highest first; base alone when empty.
	lowers []string
	// files are the fixtures that the run reads outside the mount.
	files []string
	// tools are the programs that must be installed.
	tools []string
	// writes says that a plain directory needs a copy of its own.
	writes bool
	// cold runs with the kernel's caches dropped.
	cold bool
	// served needs a server process to measure.
	served bool
	// mounts says that mounting is what is measured: run does it.
	mounts bool
	// engine says that containers are started instead of anything mounted.
	engine bool
	// check says why the workload can't run on these lower trees, or for a
	// user with one id; "" when it can.
	check func(lowers []string, oneID bool) string
	// before is done before the mount, warm after it; neither is timed.
	before, warm func(b *Bed) error
	run          func(b *Bed) error
}

// Workloads are all, in the order of reports.
func Workloads() []Workload {
	return slices.Concat(treeWorkloads(), dataWorkloads(), smallWorkloads(), layerWorkloads(), programWorkloads(), serverWorkloads())
}

// unit is the unit with its default.
func (w Workload) unit() string {
	if w.Unit == "" {
		return "s"
	}
	return w.Unit
}

// cacheState says what the kernel remembers when the clock starts.
func (w Workload) cacheState() string {
	if w.cold {
		return "caches dropped"
	}
	return "caches warm"
}

func (w Workload) lowerNames() []string {
	if len(w.lowers) == 0 {
		return []string{"base"}
	}
	return w.lowers
}
