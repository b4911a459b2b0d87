package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people: ratios to the base target, which
// has its measures themselves, and what couldn't be measured and why.
func (r *Report) WriteTable(w io.Writer) error {
	for _, line := range r.facts() {
		fmt.Fprintf(w, "%-24s %s\n", line[0]+":", line[1])
	}
	fmt.Fprintln(w)
	if err := r.writeRatios(w); err != nil {
		return err
	}
	if err := r.writeServers(w); err != nil {
		return err
	}
	r.writeExtras(w)
	r.writeReasons(w)
	return nil
}

// facts are what must be known to read the figures.
func (r *Report) facts() [][2]string {
	low, high := r.loads()
	facts := [][2]string{
		{"unionfs", r.Version},
		{"machine", fmt.Sprintf("%s %s, %d × %s, %d MiB", r.Machine.Kernel, r.Machine.Architecture, r.Machine.Processors, r.Machine.Processor, r.Machine.MemoryMiB)},
		{"file system", r.Machine.FileSystem + " (" + r.Machine.MountOptions + ")"},
		{"user", r.Machine.User},
		{"FUSE requests", r.Machine.Requests},
		{"lower tree", r.Lower},
		{"load", fmt.Sprintf("%.2f to %.2f (the bench itself makes some of it)", low, high)},
		{"time", fmt.Sprintf("%s, %v", r.Started.UTC().Format("2006-01-02 15:04 UTC"), r.Ended.Sub(r.Started).Round(time.Second))},
		{"method", r.method()},
	}
	for _, t := range r.Targets {
		text := t.What
		if t.Version != "" {
			text += " (" + t.Version + ")"
		}
		if t.Missing != "" {
			text += ": " + t.Missing
		}
		facts = append(facts, [2]string{t.Name, text})
	}
	return facts
}

func (r *Report) method() string {
	text := fmt.Sprintf("medians of %d interleaved runs; ratios to %s, less is better", r.Repeat, r.Base)
	if r.Repeat < 3 {
		return text + "; too few runs to tell how sure they are"
	}
	return text + "; ± is half of the bootstrap's 95 % interval"
}

func (r *Report) writeRatios(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	titles := []string{"WORKLOAD", "CACHES", strings.ToUpper(r.Base)}
	others := r.others()
	for _, name := range others {
		titles = append(titles, strings.ToUpper(name))
	}
	fmt.Fprintln(t, strings.Join(titles, "\t"))
	for _, row := range r.Workloads {
		words := []string{row.Name, strings.TrimPrefix(row.Caches, "caches "), row.measure(r.Base)}
		for _, name := range others {
			words = append(words, row.ratioText(name))
		}
		fmt.Fprintln(t, strings.Join(words, "\t"))
	}
	words := []string{"geometric mean", "", "1"}
	for _, name := range others {
		words = append(words, r.meanText(name))
	}
	fmt.Fprintln(t, strings.Join(words, "\t"))
	return t.Flush()
}

// others are the targets but the base, and but those that can't work here.
func (r *Report) others() (names []string) {
	for _, t := range r.Targets {
		if t.Name != r.Base && (t.Missing == "" || r.tried(t.Name)) {
			names = append(names, t.Name)
		}
	}
	return names
}

// tried tells whether anything ran on a target: containers may run where no
// mount does.
func (r *Report) tried(target string) bool {
	return slices.ContainsFunc(r.Workloads, func(row WorkloadRow) bool {
		c := row.cell(target)
		return c != nil && (len(c.Samples) > 0 || c.Failed != "")
	})
}

func (row *WorkloadRow) measure(target string) string {
	c := row.cell(target)
	if c == nil || len(c.Samples) == 0 {
		return "-"
	}
	return measureText(c.Median, row.Unit)
}

// ratioText is the ratio, or the measure where the base has none.
func (row *WorkloadRow) ratioText(target string) string {
	c := row.cell(target)
	switch {
	case c == nil:
		return "-"
	case c.Failed != "":
		return "FAILED"
	case c.Ratio != nil:
		return c.Ratio.text(len(c.Samples))
	}
	return row.measure(target)
}

func (r *Report) meanText(target string) string {
	i := slices.IndexFunc(r.Means, func(m Mean) bool { return m.Target == target })
	if i < 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %d", r.Means[i].Ratio.text(r.Repeat), r.Means[i].Count)
}

// text is "1.23 ±0.04"; fewer than three runs tell of no interval.
func (i Interval) text(runs int) string {
	if runs < 3 {
		return significant(i.Value)
	}
	return fmt.Sprintf("%s ±%s", significant(i.Value), significant((i.High-i.Low)/2))
}

// significant has about three digits, and none behind the point where the
// number is big.
func significant(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1 || v < 1e-6:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

// measureText is a measure with its unit; seconds take the unit that suits.
func measureText(v float64, unit string) string {
	if unit == "s" {
		switch {
		case v < 1e-3:
			return significant(v*1e6) + " µs"
		case v < 1:
			return significant(v*1e3) + " ms"
		}
	}
	return significant(v) + " " + unit
}

// writeServers writes what servers took: processor time during the run, and
// resident memory at its end.
func (r *Report) writeServers(w io.Writer) error {
	var served []string
	for _, t := range r.Targets {
		if slices.ContainsFunc(r.Workloads, func(row WorkloadRow) bool { c := row.cell(t.Name); return c != nil && c.ServerMemory > 0 }) {
			served = append(served, t.Name)
		}
	}
	if len(served) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nprocessor time of servers during a run, and their resident memory at its end:")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "WORKLOAD\t"+strings.ToUpper(strings.Join(served, "\t")))
	for _, row := range r.Workloads {
		words := []string{row.Name}
		for _, name := range served {
			words = append(words, row.cell(name).serverText())
		}
		fmt.Fprintln(t, strings.Join(words, "\t"))
	}
	return t.Flush()
}

func (c *Cell) serverText() string {
	if c == nil || c.ServerMemory == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f s %.1f MiB", c.ServerCPU, float64(c.ServerMemory)/(1<<20))
}

// writeExtras writes the further measures of those workloads that have some.
func (r *Report) writeExtras(w io.Writer) {
	title := "\nfurther measures:\n"
	for _, row := range r.Workloads {
		for _, c := range row.Cells {
			if text := c.extraText(); text != "" {
				fmt.Fprintf(w, "%s  %-16s %-24s %s\n", title, row.Name, c.Target, text)
				title = ""
			}
		}
	}
}

func (c *Cell) extraText() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		words = append(words, fmt.Sprintf("%s %s", name, significant(c.Extra[name])))
	}
	return strings.Join(words, ", ")
}

// reason is why something wasn't measured on some targets.
type reason struct {
	Workload, Why string
	Targets       []string
}

// reasons are all, the same one of several targets once. What is true of a
// target altogether stands with the target.
func (r *Report) reasons() (all []reason) {
	missing := map[string]string{}
	for _, t := range r.Targets {
		missing[t.Name] = t.Missing
	}
	for _, row := range r.Workloads {
		first := len(all)
		for _, c := range row.Cells {
			why := c.why()
			if why == "" || why == missing[c.Target] {
				continue
			}
			i := slices.IndexFunc(all[first:], func(o reason) bool { return o.Why == why })
			if i < 0 {
				i = len(all) - first
				all = append(all, reason{Workload: row.Name, Why: why})
			}
			all[first+i].Targets = append(all[first+i].Targets, c.Target)
		}
	}
	return all
}

func (r *Report) writeReasons(w io.Writer) {
	title := "\nnot measured:\n"
	for _, why := range r.reasons() {
		fmt.Fprintf(w, "%s  %-16s %s (%s)\n", title, why.Workload, why.Why, strings.Join(why.Targets, ", "))
		title = ""
	}
}

func (c *Cell) why() string {
	if c.Failed != "" {
		return "FAILED: " + c.Failed
	}
	return c.Refused
}
