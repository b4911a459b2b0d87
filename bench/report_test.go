package bench

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func samples(values ...float64) (all []Sample) {
	for i, v := range values {
		all = append(all, Sample{Value: v, ServerCPU: v / 2, ServerMemory: 20 << 20, Load: 0.5 + float64(i)})
	}
	return all
}

// sampleReport is a small report of all that can happen.
func sampleReport() *Report {
	targets := []Target{
		{Name: "kernel", What: "the kernel's overlayfs"},
		{Name: "native", What: "a plain directory", Native: true},
		{Name: "unionfs", What: "unionfs", Version: "unionfs version 1", Ours: true},
		{Name: "other", What: "another one", Missing: "other isn't installed"},
	}
	r := &Report{
		Version: "1", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Repeat: 3, Sizes: DefaultSizes(), Base: "kernel",
		Targets: targets, Lower: "a <generated> tree",
		Machine: Machine{Kernel: "Linux 6.1", Architecture: "amd64", Processor: "A Processor", Processors: 2, MemoryMiB: 4096,
			FileSystem: "ext4", MountOptions: "rw,relatime", User: "root", Requests: "over /dev/fuse", Load: 0.5},
	}
	kernel, native, ours := samples(2, 2, 2), samples(1, 1.1, 1), samples(3, 4, 5)
	for i := range kernel {
		kernel[i].ServerMemory, native[i].ServerMemory, ours[i].Extra = 0, 0, map[string]float64{"p50": 0.25, "p99": 12}
	}
	r.add(Workload{Name: "find", What: "find & more", cold: true}, []*cell{
		{target: targets[0], samples: kernel}, {target: targets[1], samples: native}, {target: targets[2], samples: ours},
		{target: targets[3], refused: "other isn't installed"},
	})
	r.add(Workload{Name: "memory", What: "memory of the server", Unit: "MiB"}, []*cell{
		{target: targets[0], refused: "no server"}, {target: targets[1], refused: "no server"}, {target: targets[2], samples: samples(20, 21, 22)},
		{target: targets[3], refused: "other isn't installed"},
	})
	r.add(Workload{Name: "copy", What: "cp <a> b"}, []*cell{
		{target: targets[0], samples: kernel}, {target: targets[1], failed: "cp: no space"}, {target: targets[2], samples: samples(0.0004, 0.0004, 0.0004)},
		{target: targets[3], refused: "other isn't installed"},
	})
	r.finish(r.Started.Add(90 * time.Second))
	r.LoadAfter = 1
	return r
}

func golden(t *testing.T, name string, write func(io.Writer) error) string {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s is no longer what it was (-update writes it anew); now it is\n%s", path, got.String())
	}
	return got.String()
}

func TestTable(t *testing.T) {
	golden(t, "report.txt", sampleReport().WriteTable)
}

// TestPage: the page is well-formed, needs nothing from elsewhere, and what
// others say in it is text.
func TestPage(t *testing.T) {
	page := golden(t, "report.html", sampleReport().WriteHTML)
	for _, bad := range []string{"http:", "https:", "src=", "<link", "<script", "<generated>", "cp <a>"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page[strings.Index(page, "<svg"):strings.LastIndex(page, "</svg>")] + "</svg>"))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	bars := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "rect" {
			bars++
		}
	}
	if want := 3 + 3 + 1 + 2; bars != want { // means, find, memory, copy
		t.Errorf("%d bars instead of %d", bars, want)
	}
}

func TestReportFigures(t *testing.T) {
	r := sampleReport()
	if ratio := r.Workloads[0].cell("unionfs").Ratio; ratio.Value != 2 || ratio.Low != 1.5 || ratio.High != 2.5 {
		t.Errorf("4 s to 2 s: %+v", ratio)
	}
	if r.Workloads[1].cell("unionfs").Ratio != nil {
		t.Error("a ratio to nothing")
	}
	for _, m := range r.Means {
		if m.Target == "unionfs" && (m.Count != 2 || m.Worst != "find" || !near(m.Ratio.Value, 0.02)) {
			t.Errorf("the mean of 2 and 0.0002: %+v", m)
		}
	}
	if low, high := r.loads(); low != 0.5 || high != 2.5 {
		t.Errorf("loads %v to %v", low, high)
	}
	if r.Failed() {
		t.Error("a failure of another target is ours")
	}
	r.Workloads[0].cell("unionfs").Failed = "x"
	if !r.Failed() {
		t.Error("a failure of ours isn't")
	}
}

func TestJSONComesBack(t *testing.T) {
	data, err := json.Marshal(sampleReport())
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	var table, again bytes.Buffer
	if err := sampleReport().WriteTable(&table); err != nil {
		t.Fatal(err)
	}
	if err := back.WriteTable(&again); err != nil {
		t.Fatal(err)
	}
	if table.String() != again.String() {
		t.Errorf("the table of the report that came back:\n%s", again.String())
	}
}
