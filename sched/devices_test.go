package sched

import (
	"reflect"
	"slices"
	"testing"
)

// found is what an agent tells of two A100 tied to each other, a V100, and two
// A100 near other cores.
func foundFive() []NodeGres {
	return []NodeGres{
		{Name: "gpu", Type: "nvidia_a100-sxm4", Count: 2, Files: []string{"/dev/nvidia0", "/dev/nvidia1"}, Cores: "0-3", Links: [][]int{{0, 9, 1, 1, 1}, {9, 0, 1, 1, 1}}},
		{Name: "gpu", Type: "tesla_v100", Count: 1, Files: []string{"/dev/nvidia2"}, Cores: "0-3", Numbers: []int{2}, Links: [][]int{{1, 1, 0, 1, 1}}},
		{Name: "gpu", Type: "nvidia_a100-sxm4", Count: 2, Files: []string{"/dev/nvidia3", "/dev/nvidia4"}, Cores: "4-7", Numbers: []int{3, 4}, Links: [][]int{{1, 1, 1, 0, 9}, {1, 1, 1, 9, 0}}},
	}
}

func TestWithFound(t *testing.T) {
	n := &Node{Gres: []NodeGres{{Name: "gpu", Type: "A100", Count: 3}, {Name: "gpu", Type: "v100", Count: 1}, {Name: "gpu", Type: "h100", Count: 1}, {Name: "net", Count: 4}}}
	got := n.WithFound(foundFive())
	want := []NodeGres{
		{Name: "gpu", Type: "A100", Count: 3, Found: true, Files: []string{"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia3"}, Numbers: []int{0, 1, 3},
			Links: [][]int{{0, 9, 1}, {9, 0, 1}, {1, 1, 0}}, Near: []int{0, 0, 2}},
		{Name: "gpu", Type: "v100", Count: 1, Found: true, Files: []string{"/dev/nvidia2"}, Numbers: []int{2}, Cores: "0-3"},
		{Name: "gpu", Type: "h100", Count: 1}, {Name: "net", Count: 4},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// Once more, with one of them gone: what was found before does not stay.
	n.Gres = got
	if g := n.WithFound(foundFive()[:2])[0]; g.Files != nil || g.Found || g.Numbers != nil {
		t.Errorf("with two A100 for three: %+v", g)
	}
	if g := (&Node{Gres: []NodeGres{{Name: "gpu", Count: 5}}}).WithFound(foundFive())[0]; len(g.Files) != 5 || g.Numbers != nil {
		t.Errorf("any type: %+v", g)
	}
	off := &Node{AutoDetect: "off", Gres: []NodeGres{{Name: "gpu", Count: 5}}}
	if g := off.WithFound(foundFive())[0]; g.Files != nil {
		t.Errorf("with AutoDetect=off: %+v", g)
	}
}

func TestDeviceShortage(t *testing.T) {
	for _, c := range []struct {
		name, detect string
		gres         NodeGres
		want         string
	}{
		{"OK", "nvml", NodeGres{Name: "gpu", Type: "a100", Count: 4}, ""},
		{"Fewer", "nvml", NodeGres{Name: "gpu", Type: "a100", Count: 5}, "gres/gpu count reported lower than configured (4 < 5)"},
		{"LeftOut", "", NodeGres{Name: "fpga", Count: 4, Lacks: 1}, "gres/fpga count reported lower than configured (3 < 4)"},
		{"NotDetected", "", NodeGres{Name: "gpu", Type: "a100", Count: 5}, ""},
		{"NamedByFile", "nvml", NodeGres{Name: "gpu", Count: 1, Files: []string{"/dev/x"}}, ""},
		{"DetectedBesideThoseNamed", "nvml", NodeGres{Name: "gpu", Type: "a100", Count: 4, Lacks: 3}, ""},
		{"NamedAndTooFewDetected", "nvml", NodeGres{Name: "gpu", Type: "a100", Count: 5, Lacks: 1}, "gres/gpu count reported lower than configured (4 < 5)"},
		{"NamedAlone", "", NodeGres{Name: "gpu", Type: "a100", Count: 4, Lacks: 3}, "gres/gpu count reported lower than configured (1 < 4)"},
		{"NoGPU", "nvml", NodeGres{Name: "net", Count: 9}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &Node{AutoDetect: c.detect, Gres: []NodeGres{c.gres}}
			if got := n.DeviceShortage(foundFive()); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestSickDevicesAreNotGiven starts jobs on a node of two types of GPU, of which one
// each is out of service.
func TestSickDevicesAreNotGiven(t *testing.T) {
	n := &Node{Name: "n", CPUs: 8, Sockets: 1, Cores: 8, Threads: 1, Gres: []NodeGres{{Name: "gpu", Type: "a100", Count: 3}, {Name: "gpu", Type: "v100", Count: 1}}}
	n.Gres = n.WithFound(foundFive())
	n.Gres = WithSick(n.Gres, []SickFile{{File: "/dev/nvidia1", Why: "XID 79"}, {File: "/dev/other", Why: "x"}})
	if back := SickFiles(n.Gres); !reflect.DeepEqual(back, []SickFile{{File: "/dev/nvidia1", Why: "XID 79"}}) {
		t.Errorf("sick files %+v", back)
	}
	if s := SickGres(n); s != "gpu:a100:1(IDX:1)" {
		t.Errorf("%q", s)
	}
	r := emptyRoom(n, 0)
	if free := r.freeOf("gpu"); free != 3 {
		t.Errorf("%d free of 4 with one sick", free)
	}
	if got := r.pick(&r.gres[0], 2); !slices.Equal(got, []int{0, 3}) {
		t.Errorf("picked %v", got)
	}
	if got := r.pick(&r.gres[1], 1); !slices.Equal(got, []int{2}) {
		t.Errorf("picked %v of the V100", got)
	}
	r.takeGres(GresAlloc{Name: "gpu", Type: "a100", Count: 1, Index: []int{3}}, 1)
	if got := r.pick(&r.gres[0], 2); !slices.Equal(got, []int{0}) {
		t.Errorf("picked %v with 3 in use", got)
	}
	for _, c := range []struct {
		index int
		ok    bool
	}{{0, true}, {1, false}, {2, false}, {3, true}, {4, false}} {
		if err := n.GresFits(nil, GresAlloc{Name: "gpu", Type: "a100", Count: 1, Index: []int{c.index}}); (err == nil) != c.ok {
			t.Errorf("A100 number %d: %v", c.index, err)
		}
	}
}

func TestSickReason(t *testing.T) {
	gres := []NodeGres{{Name: "gpu", Count: 4, Files: []string{"/dev/a", "/dev/b", "/dev/c", "/dev/d"}}}
	for _, c := range []struct {
		name  string
		sick  []SickFile
		least int
		want  string
	}{
		{"None", nil, 50, ""},
		{"Enough", []SickFile{{File: "/dev/a"}, {File: "/dev/b"}}, 50, ""},
		{"TooFew", []SickFile{{File: "/dev/a"}, {File: "/dev/b"}}, 75, "gres/gpu: 2 of 4 in service, 75% wanted"},
		{"NoFile", []SickFile{{File: "/dev/d", Missing: true}}, 0, "gres/gpu count reported lower than configured (3 < 4)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := SickReason(WithSick(gres, c.sick), c.sick, c.least)
			if got != c.want || got != "" && !DrainedForDevices(got) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if DrainedForDevices("gres/gpu is to be replaced") {
		t.Error("a person's reason is taken for one of ours")
	}
}
