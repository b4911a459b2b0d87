package sandbox

import (
	"context"
	"testing"
)

// BenchmarkTrue is the time from Start to the exit of /bin/true.
func BenchmarkTrue(b *testing.B) {
	for _, c := range []struct {
		name   string
		change func(*Spec)
	}{
		{"plain", func(*Spec) {}},
		{"cgroup", func(s *Spec) { s.Cgroup = Cgroup{Name: "sandbox-bench", Devices: true, PIDs: 100} }},
		{"init", func(s *Spec) { s.Init = true }},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := testSpec(b, "/bin/true")
			c.change(&s)
			benchmarkRun(b, s)
		})
	}
}

func benchmarkRun(b *testing.B, s Spec) {
	for b.Loop() {
		sb, err := Start(context.Background(), s)
		if err != nil {
			b.Fatal(err)
		}
		if status, err := sb.Wait(); err != nil || status.Code != 0 {
			b.Fatal(status, err)
		}
		if err := sb.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
