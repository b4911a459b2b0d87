package bench

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is an estimate with the range that holds it with a confidence of
// 95 %, as far as the samples tell.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// resamples is how often the bootstrap draws.
const resamples = 2000

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(values))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// deviation is the median absolute deviation from the median.
func deviation(values []float64) float64 {
	m := median(values)
	away := make([]float64, len(values))
	for i, v := range values {
		away[i] = math.Abs(v - m)
	}
	return median(away)
}

// percentile of sorted values, by the nearest rank.
func percentile(sorted []float64, p int) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(float64(p) / 100 * float64(len(sorted))))
	return sorted[min(max(rank-1, 0), len(sorted)-1)]
}

// geometric is the geometric mean.
func geometric(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}

// pair are the samples of one workload on two targets.
type pair struct{ subject, base []float64 }

// ratio of the medians. Its range comes from the percentile bootstrap: both
// sides are drawn again, each from its own samples.
func (p pair) ratio() Interval {
	return bootstrap(median(p.subject)/median(p.base), func(r *rand.Rand) float64 {
		return median(draw(r, p.subject)) / median(draw(r, p.base))
	})
}

// meanRatio is the geometric mean of the ratios of several workloads, which
// are drawn again one by one.
func meanRatio(pairs []pair) Interval {
	ratios := make([]float64, len(pairs))
	for i, p := range pairs {
		ratios[i] = median(p.subject) / median(p.base)
	}
	return bootstrap(geometric(ratios), func(r *rand.Rand) float64 {
		drawn := make([]float64, len(pairs))
		for i, p := range pairs {
			drawn[i] = median(draw(r, p.subject)) / median(draw(r, p.base))
		}
		return geometric(drawn)
	})
}

// bootstrap draws with the same seed every time: the same samples give the
// same report.
func bootstrap(value float64, again func(r *rand.Rand) float64) Interval {
	r := rand.New(rand.NewPCG(5, 6))
	values := make([]float64, resamples)
	for i := range values {
		values[i] = again(r)
	}
	slices.Sort(values)
	return Interval{Value: value, Low: values[resamples*25/1000], High: values[resamples*975/1000-1]}
}

func draw(r *rand.Rand, values []float64) []float64 {
	drawn := make([]float64, len(values))
	for i := range drawn {
		drawn[i] = values[r.IntN(len(values))]
	}
	return drawn
}
