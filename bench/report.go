package bench

import (
	"slices"
	"time"
)

// Report is all that a bench found out.
type Report struct {
	Version   string        `json:"version"`
	Started   time.Time     `json:"started"`
	Ended     time.Time     `json:"ended"`
	Machine   Machine       `json:"machine"`
	LoadAfter float64       `json:"loadAfter"`
	Lower     string        `json:"lower"`
	Repeat    int           `json:"repeat"`
	Sizes     Sizes         `json:"sizes"`
	Base      string        `json:"base"`
	Targets   []Target      `json:"targets"`
	Workloads []WorkloadRow `json:"workloads"`
	Means     []Mean        `json:"means"`
}

// WorkloadRow is one workload on all targets.
type WorkloadRow struct {
	Name   string `json:"name"`
	What   string `json:"what"`
	Unit   string `json:"unit"`
	Caches string `json:"caches"`
	Cells  []Cell `json:"cells"`
}

// Cell is one workload on one target.
type Cell struct {
	Target  string   `json:"target"`
	Samples []Sample `json:"samples,omitempty"`
	Median  float64  `json:"median,omitempty"`
	// Deviation is the median absolute deviation of the samples.
	Deviation float64 `json:"deviation,omitempty"`
	Min       float64 `json:"min,omitempty"`
	Max       float64 `json:"max,omitempty"`
	// Ratio to the base target; nil where one of the two has no samples.
	Ratio        *Interval          `json:"ratio,omitempty"`
	Extra        map[string]float64 `json:"extra,omitempty"`
	ServerCPU    float64            `json:"serverCpu,omitempty"`
	ServerMemory int64              `json:"serverMemory,omitempty"`
	// Refused says why the workload can't run on the target, Failed what went
	// wrong when it did.
	Refused string `json:"refused,omitempty"`
	Failed  string `json:"failed,omitempty"`
}

// Mean is the geometric mean of a target's ratios.
type Mean struct {
	Target string   `json:"target"`
	Ratio  Interval `json:"ratio"`
	// Count is of how many workloads.
	Count int `json:"count"`
	// Worst is the workload with the greatest ratio.
	Worst      string  `json:"worst"`
	WorstRatio float64 `json:"worstRatio"`
}

func newReport(o *Options, m Machine, now time.Time) *Report {
	r := &Report{Version: o.Version, Started: now, Machine: m, Repeat: o.Repeat, Sizes: o.Sizes, Base: o.Base, Targets: o.Targets}
	switch why := o.generated(); {
	case o.Lower != "":
		r.Lower = o.Lower
	case why != "":
		r.Lower = "a generated tree: " + why
	default:
		r.Lower = "Debian " + o.Release + " of mmdebstrap, variant minbase"
	}
	return r
}

// add takes in what one workload gave.
func (r *Report) add(w Workload, cells []*cell) {
	row := WorkloadRow{Name: w.Name, What: w.What, Unit: w.unit(), Caches: w.cacheState()}
	base := slices.IndexFunc(cells, func(c *cell) bool { return c.target.Name == r.Base })
	for _, c := range cells {
		made := c.summary()
		if base >= 0 && len(c.samples) > 0 && len(cells[base].samples) > 0 {
			ratio := pair{values(c.samples), values(cells[base].samples)}.ratio()
			made.Ratio = &ratio
		}
		row.Cells = append(row.Cells, made)
	}
	r.Workloads = append(r.Workloads, row)
}

// finish computes the means over all workloads.
func (r *Report) finish(now time.Time) {
	r.Ended, r.LoadAfter = now, loadAverage()
	for _, t := range r.Targets {
		if mean, ok := r.mean(t.Name); ok {
			r.Means = append(r.Means, mean)
		}
	}
}

func (r *Report) mean(target string) (Mean, bool) {
	m := Mean{Target: target}
	var pairs []pair
	for _, row := range r.Workloads {
		subject, base := row.cell(target), row.cell(r.Base)
		if subject == nil || subject.Ratio == nil {
			continue
		}
		pairs = append(pairs, pair{values(subject.Samples), values(base.Samples)})
		if subject.Ratio.Value > m.WorstRatio {
			m.Worst, m.WorstRatio = row.Name, subject.Ratio.Value
		}
	}
	if m.Count = len(pairs); m.Count == 0 {
		return m, false
	}
	m.Ratio = meanRatio(pairs)
	return m, true
}

func (row *WorkloadRow) cell(target string) *Cell {
	i := slices.IndexFunc(row.Cells, func(c Cell) bool { return c.Target == target })
	if i < 0 {
		return nil
	}
	return &row.Cells[i]
}

func (c *cell) summary() Cell {
	made := Cell{Target: c.target.Name, Samples: c.samples, Refused: c.refused, Failed: c.failed}
	if len(c.samples) == 0 {
		return made
	}
	all := values(c.samples)
	made.Median, made.Deviation = median(all), deviation(all)
	made.Min, made.Max = slices.Min(all), slices.Max(all)
	var cpu, memory []float64
	extra := map[string][]float64{}
	for _, s := range c.samples {
		cpu, memory = append(cpu, s.ServerCPU), append(memory, float64(s.ServerMemory))
		for name, v := range s.Extra {
			extra[name] = append(extra[name], v)
		}
	}
	made.ServerCPU, made.ServerMemory = median(cpu), int64(median(memory))
	for name, all := range extra {
		if made.Extra == nil {
			made.Extra = map[string]float64{}
		}
		made.Extra[name] = median(all)
	}
	return made
}

// values are the measures. None is 0, of which there is no ratio.
func values(samples []Sample) []float64 {
	all := make([]float64, len(samples))
	for i, s := range samples {
		all[i] = max(s.Value, 1e-9)
	}
	return all
}

// loads are the least and the greatest load average that samples were made
// under.
func (r *Report) loads() (low, high float64) {
	low, high = r.Machine.Load, r.Machine.Load
	for _, row := range r.Workloads {
		for _, c := range row.Cells {
			for _, s := range c.Samples {
				low, high = min(low, s.Load), max(high, s.Load)
			}
		}
	}
	return low, high
}

// Failed tells whether something went wrong on a target that is ours.
func (r *Report) Failed() bool {
	for _, t := range r.Targets {
		for _, row := range r.Workloads {
			if c := row.cell(t.Name); t.Ours && c != nil && c.Failed != "" {
				return true
			}
		}
	}
	return false
}
