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
		fmt.Fprintf(w, "%-12s %s\n", line[0]+":", line[1])
	}
	fmt.Fprintln(w)
	if err := r.writeRatios(w); err != nil {
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
		{"lower tree", r.Lower},
		{"load", fmt.Sprintf("%.2f to %.2f (the bench itself makes some of it)", low, high)},
		{"time", fmt.Sprintf("%s, %v", r.Started.UTC().Format("2006-01-02 15:04 UTC"), r.Ended.Sub(r.Started).Round(time.Second))},
		{"method", fmt.Sprintf("medians of %d interleaved runs; ratios to %s, less is better; ± is half of the bootstrap's 95 %% interval", r.Repeat, r.Base)},
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

// others are the targets but the base.
func (r *Report) others() (names []string) {
	for _, t := range r.Targets {
		if t.Name != r.Base {
			names = append(names, t.Name)
		}
	}
	return names
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
		return c.Ratio.String()
	}
	return row.measure(target)
}

func (r *Report) meanText(target string) string {
	i := slices.IndexFunc(r.Means, func(m Mean) bool { return m.Target == target })
	if i < 0 {
		return "-"
	}
	return fmt.Sprintf("%s of %d", r.Means[i].Ratio, r.Means[i].Count)
}

// String is "1.23 ±0.04".
func (i Interval) String() string {
	return fmt.Sprintf("%s ±%s", significant(i.Value), significant((i.High-i.Low)/2))
}

// significant has three digits where a number is small, and none behind the
// point where it is big.
func significant(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
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

// writeExtras writes the further measures, and what servers took.
func (r *Report) writeExtras(w io.Writer) {
	fmt.Fprintln(w, "\nprocessor time and memory of servers, further measures (medians):")
	for _, row := range r.Workloads {
		for _, c := range row.Cells {
			if text := c.extraText(); text != "" {
				fmt.Fprintf(w, "  %-16s %-24s %s\n", row.Name, c.Target, text)
			}
		}
	}
}

func (c *Cell) extraText() string {
	var words []string
	if c.ServerMemory > 0 {
		words = append(words, fmt.Sprintf("server %.2f s, %.1f MiB", c.ServerCPU, float64(c.ServerMemory)/(1<<20)))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
		words = append(words, fmt.Sprintf("%s %s", name, significant(c.Extra[name])))
	}
	return strings.Join(words, ", ")
}

// writeReasons writes why there is no measure. What is true of a target
// altogether stands with the target.
func (r *Report) writeReasons(w io.Writer) {
	missing := map[string]string{}
	for _, t := range r.Targets {
		missing[t.Name] = t.Missing
	}
	title := "\nnot measured:\n"
	for _, row := range r.Workloads {
		for _, c := range row.Cells {
			why := c.why()
			if why == "" || why == missing[c.Target] {
				continue
			}
			fmt.Fprintf(w, "%s  %-16s %-24s %s\n", title, row.Name, c.Target, why)
			title = ""
		}
	}
}

func (c *Cell) why() string {
	if c.Failed != "" {
		return "FAILED: " + c.Failed
	}
	return c.Refused
}

// Failed tells whether anything that should run went wrong.
func (r *Report) Failed() bool {
	return slices.ContainsFunc(r.Workloads, func(row WorkloadRow) bool {
		return slices.ContainsFunc(row.Cells, func(c Cell) bool { return c.Failed != "" })
	})
}
