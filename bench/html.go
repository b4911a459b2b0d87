package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"sync"
)

//go:embed report.html
var page string

// pageTemplate is parsed once it is wanted: all commands would wait for it.
var pageTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("report").Parse(page)) })

// WriteHTML writes the report as one page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	return pageTemplate().Execute(w, r.view())
}

// The chart's width in pixels, and where its bars begin and end.
const (
	barsFrom = 190
	barsTo   = 760
	barStep  = 18
)

// pageView is what the page shows.
type pageView struct {
	Title    string
	Facts    [][2]string
	Means    chart
	Charts   []chart
	Sizes    []Size
	Excluded []reason
}

// chart is one group of bars.
type chart struct {
	Name, What, Caches string
	Height             int
	// OneAt is where a ratio of 1 is, 0 when the bars are no ratios.
	OneAt int
	Bars  []bar
}

// bar is one target's. Low and High are the ends of its interval.
type bar struct {
	Target, Text, Title  string
	Y, TextY, MidY       int
	Width                int
	X, Low, High, LabelX int
	Class                string
}

func (r *Report) view() pageView {
	low, high := r.loads()
	v := pageView{Title: fmt.Sprintf("unionfs bench, %s, load %.2f to %.2f", r.Started.UTC().Format("2006-01-02"), low, high), Facts: r.facts()}
	for _, size := range SizeList() {
		size.Default = r.Sizes[size.Name]
		v.Sizes = append(v.Sizes, size)
	}
	v.Means = r.meansChart()
	for _, row := range r.Workloads {
		if c := r.chart(row); len(c.Bars) > 0 {
			v.Charts = append(v.Charts, c)
		}
	}
	v.Excluded = r.reasons()
	return v
}

func (r *Report) meansChart() chart {
	c := chart{Name: "geometric mean", What: "of all ratios to " + r.Base}
	for _, m := range r.Means {
		c.Bars = append(c.Bars, bar{Target: m.Target, Class: r.class(m.Target),
			Text:  fmt.Sprintf("%s of %d, worst: %s %s", m.Ratio.text(r.Repeat), m.Count, m.Worst, significant(m.WorstRatio)),
			Title: fmt.Sprintf("%.3f, 95%% in %.3f to %.3f", m.Ratio.Value, m.Ratio.Low, m.Ratio.High)})
		c.place()
	}
	c.scaleTo(r.intervals(), 1)
	return c
}

func (r *Report) intervals() (all []Interval) {
	for _, m := range r.Means {
		all = append(all, m.Ratio)
	}
	return all
}

// chart of one workload: ratios where there are any, else the measures.
func (r *Report) chart(row WorkloadRow) chart {
	c := chart{Name: row.Name, What: row.What, Caches: row.Caches}
	var all []Interval
	for _, cell := range row.Cells {
		if len(cell.Samples) == 0 {
			continue
		}
		measure := measureText(cell.Median, row.Unit)
		interval, text := Interval{cell.Median, cell.Min, cell.Max}, measure
		if cell.Ratio != nil {
			interval, text = *cell.Ratio, fmt.Sprintf("%s (%s)", cell.Ratio.text(len(cell.Samples)), measure)
		}
		all = append(all, interval)
		c.Bars = append(c.Bars, bar{Target: cell.Target, Text: text, Class: r.class(cell.Target),
			Title: fmt.Sprintf("median %s, MAD %s, %s to %s, %d runs. server %s. %s", measure, measureText(cell.Deviation, row.Unit),
				measureText(cell.Min, row.Unit), measureText(cell.Max, row.Unit), len(cell.Samples), cell.serverText(), cell.extraText())})
		c.place()
	}
	if b := row.cell(r.Base); b == nil || len(b.Samples) == 0 {
		c.scaleTo(all, 0)
		return c
	}
	c.scaleTo(all, 1)
	return c
}

// place gives the newest bar its line.
func (c *chart) place() {
	b := &c.Bars[len(c.Bars)-1]
	b.Y = (len(c.Bars) - 1) * barStep
	b.TextY, b.MidY = b.Y+12, b.Y+7
	c.Height = len(c.Bars)*barStep + 4
}

// scaleTo gives the bars their lengths, with a line at one unless that is 0.
func (c *chart) scaleTo(all []Interval, one float64) {
	most := one
	for _, i := range all {
		most = math.Max(most, math.Max(i.High, i.Value))
	}
	if most == 0 {
		most = 1
	}
	const room = barsTo - barsFrom
	at := func(v float64) int { return barsFrom + int(math.Round(v/most*room)) }
	if one > 0 {
		c.OneAt = at(one)
	}
	for i, interval := range all {
		b := &c.Bars[i]
		b.X, b.Width = barsFrom, max(1, at(interval.Value)-barsFrom)
		b.Low, b.High = at(interval.Low), at(interval.High)
		b.LabelX = max(b.X+b.Width, b.High) + 6
	}
}

// class is the colour of a target's bars.
func (r *Report) class(target string) string {
	switch {
	case target == r.Base:
		return "base"
	case slices.ContainsFunc(r.Targets, func(t Target) bool { return t.Ours && t.Name == target }):
		return "ours"
	}
	return "other"
}
