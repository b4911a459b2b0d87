package bench

import (
	"math"
	"testing"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestMedianAndDeviation(t *testing.T) {
	for _, c := range []struct {
		values       []float64
		median, away float64
	}{
		{[]float64{7}, 7, 0},
		{[]float64{3, 1, 2}, 2, 1},
		{[]float64{1, 2, 3, 10}, 2.5, 1},
		{[]float64{5, 5, 5, 1000}, 5, 0},
	} {
		if m, d := median(c.values), deviation(c.values); !near(m, c.median) || !near(d, c.away) {
			t.Errorf("%v: median %v, deviation %v", c.values, m, d)
		}
	}
	if !math.IsNaN(median(nil)) || !math.IsNaN(geometric(nil)) || !math.IsNaN(percentile(nil, 50)) {
		t.Error("nothing has a median, a mean or a percentile")
	}
	values := []float64{3, 1, 2}
	median(values)
	if values[0] != 3 {
		t.Error("the samples were sorted in place")
	}
}

func TestPercentile(t *testing.T) {
	sorted := make([]float64, 200)
	for i := range sorted {
		sorted[i] = float64(i + 1)
	}
	for p, want := range map[int]float64{0: 1, 1: 2, 50: 100, 99: 198, 100: 200} {
		if got := percentile(sorted, p); got != want {
			t.Errorf("percentile %d: %v, not %v", p, got, want)
		}
	}
}

func TestGeometric(t *testing.T) {
	if got := geometric([]float64{0.5, 2, 4, 0.25}); !near(got, 1) {
		t.Errorf("got %v", got)
	}
}

func TestRatio(t *testing.T) {
	same := pair{[]float64{2, 2, 2}, []float64{1, 1, 1}}.ratio()
	if same != (Interval{2, 2, 2}) {
		t.Errorf("of samples that agree: %v", same)
	}
	p := pair{[]float64{9, 10, 11, 10, 10}, []float64{4, 5, 6, 5, 5}}
	got := p.ratio()
	if got.Value != 2 || got.Low >= 2 || got.High <= 2 || got.Low < 9.0/6 || got.High > 11.0/4 {
		t.Errorf("of samples that scatter: %v", got)
	}
	if again := p.ratio(); again != got {
		t.Errorf("the same samples give %v and %v", got, again)
	}
	wide := pair{[]float64{5, 10, 15, 2, 18}, p.base}.ratio()
	if wide.High-wide.Low <= got.High-got.Low {
		t.Errorf("wider samples give the narrower range: %v and %v", wide, got)
	}
}

func TestMeanRatio(t *testing.T) {
	got := meanRatio([]pair{{[]float64{8}, []float64{2}}, {[]float64{1}, []float64{4}}})
	if !near(got.Value, 1) || !near(got.Low, 1) || !near(got.High, 1) {
		t.Errorf("4 and 1/4: %v", got)
	}
}
