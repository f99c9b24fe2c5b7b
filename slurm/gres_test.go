package slurm

import (
	"errors"
	"slices"
	"testing"
)

func TestParseGres(t *testing.T) {
	for _, c := range []struct {
		in, text, show string
		total          int64
	}{
		{"gpu", "gpu", "gres:gpu", 1},
		{"gpu:2", "gpu:2", "gres:gpu:2", 2},
		{"gpu:a100", "gpu:a100", "gres:gpu:a100", 1},
		{"gpu:a100:2", "gpu:a100:2", "gres:gpu:a100:2", 2},
		{"gpu:a100:1,gpu:v100:1,shard:4", "gpu:a100:1,gpu:v100:1,shard:4", "gres:gpu:a100:1,gres:gpu:v100:1,gres:shard:4", 2},
		{"gpu:1,gpu:2", "gpu:1,gpu:2", "gres:gpu:1,gres:gpu:2", 3},
		{"gpu:1k", "gpu:1024", "gres:gpu:1024", 1024},
		{"gpu:03", "gpu:3", "gres:gpu:3", 3},
		{"craynetwork:0", "craynetwork:0", "gres:craynetwork:0", 0},
		{"gres:gpu:1", "gpu:1", "gres:gpu:1", 1},
		{"gres/gpu:1", "gpu:1", "gres:gpu:1", 1},
		{"gres/gpu=2", "gpu:2", "gres:gpu:2", 2},
		{"gres/gpu:a100=2", "gpu:a100:2", "gres:gpu:a100:2", 2},
		{"gpu=2", "gpu:2", "gres:gpu:2", 2},
		{"gpu:tesla_v100-x:1", "gpu:tesla_v100-x:1", "gres:gpu:tesla_v100-x:1", 1},
		{"gpu:1g.5gb", "gpu:1g.5gb", "gres:gpu:1g.5gb", 1},
		{"gpu:1g.5gb:3", "gpu:1g.5gb:3", "gres:gpu:1g.5gb:3", 3},
		{"gpu:2080ti:3", "gpu:2080ti:3", "gres:gpu:2080ti:3", 3},
		{"none", "", "", 0},
		{"NONE", "", "", 0},
		{"gres:none", "", "", 0},
	} {
		g, err := ParseGres(c.in)
		if err != nil || g.String() != c.text || g.Display() != c.show || g.Total("gpu") != c.total {
			t.Errorf("ParseGres(%q) = %s %s %d, %v; want %s %s %d", c.in, g, g.Display(), g.Total("gpu"), err, c.text, c.show, c.total)
		}
	}
	for _, in := range []string{"", ":", "gpu:", "gpu:a100:", "gpu:x:y:z", "gpu:2.5", "gpu:2,", ",gpu", "gpu:-1", "gpu*2", "gpu:1x", "gpu:99999999999999999999",
		"gpu:a100:2:no_consume", "2", "gpu 2", "gpu::2", "gres:", "gpu:a b"} {
		if g, err := ParseGres(in); !errors.Is(err, ErrnoInvalidGres) {
			t.Errorf("ParseGres(%q) = %s, %v; want it refused", in, g, err)
		}
	}
}

func TestParseGPUs(t *testing.T) {
	for in, want := range map[string]string{
		"2": "gpu:2", "a100": "gpu:a100", "a100:2": "gpu:a100:2", "a100:2,v100:1": "gpu:a100:2,gpu:v100:1", "gpu:2": "gpu:gpu:2", "0": "gpu:0", "1k": "gpu:1024",
		"1g.5gb:2": "gpu:1g.5gb:2",
	} {
		if g, err := ParseGPUs(in); err != nil || g.String() != want {
			t.Errorf("ParseGPUs(%q) = %s, %v; want %s", in, g, err, want)
		}
	}
	for _, in := range []string{"", "-1", "gpu:a100:2", "a100:", ":2", "a100:1,", "x y"} {
		if g, err := ParseGPUs(in); !errors.Is(err, ErrnoInvalidGres) {
			t.Errorf("ParseGPUs(%q) = %s, %v; want it refused", in, g, err)
		}
	}
	if g, err := ParseGPUs("a100:1,2"); !errors.Is(err, ErrnoInvalidGresType) {
		t.Errorf("with and without a type: %s, %v", g, err)
	}
}

func TestGresSum(t *testing.T) {
	g, err := ParseGres("gpu,gpu:a100:1,gpu:2,gpu:a100:4,nic")
	if err != nil || g.Sum().String() != "gpu:3,gpu:a100:5,nic:1" {
		t.Errorf("%s adds up to %s, %v", g, g.Sum(), err)
	}
}

func TestNodeGres(t *testing.T) {
	for _, in := range []string{"(null)", "gpu:a100:4", "gpu:a100:4(S:0-1)", "gpu:a100:2(IDX:0-1)", "gpu:a100:0(IDX:N/A)", "gpu:a100:3(IDX:0,2-3),gpu:v100:1(IDX:0),nic:2",
		"gpu:8(S:0,2,4,6,8,10,12)", "gpu:12(IDX:0,2,4,6,8,10,12,14,16,18,20,22)"} {
		list, err := ParseNodeGres(in)
		if err != nil || NodeGresText(list) != in {
			t.Errorf("ParseNodeGres(%q) = %s, %v", in, NodeGresText(list), err)
		}
	}
	for _, in := range []string{"gpu:2(", "gpu:2(X:1)", "gpu:2(S:)", "gpu:2(IDX:x)", "gpu:2,", "(S:1)", "gpu:2(S:1)x", ",gpu"} {
		if list, err := ParseNodeGres(in); err == nil {
			t.Errorf("ParseNodeGres(%q) = %s, want it refused", in, NodeGresText(list))
		}
	}
}

func FuzzGres(f *testing.F) {
	for _, s := range []string{"gpu:a100:2,shard:4", "gres/gpu=2", "none", "gpu:1g.5gb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := ParseGres(s)
		if err != nil || g == nil {
			return
		}
		if back, err := ParseGres(g.String()); err != nil || !slices.Equal(back, g) {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, g, back, err)
		}
		if back, err := ParseGres(g.Display()); err != nil || !slices.Equal(back, g) {
			t.Fatalf("%q shows as %s, which reads as %s, %v", s, g.Display(), back, err)
		}
	})
}

func FuzzNodeGres(f *testing.F) {
	f.Add("gpu:a100:4(S:0-1),nic:2(IDX:N/A)")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseNodeGres(s)
		if err != nil {
			return
		}
		text := NodeGresText(list)
		if back, err := ParseNodeGres(text); err != nil || NodeGresText(back) != text {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, text, NodeGresText(back), err)
		}
	})
}

func TestTRES(t *testing.T) {
	for _, c := range []struct{ in, text, raw, byName string }{
		{"", "", "", ""},
		{"cpu=4,mem=8G,node=1,billing=4,gres/gpu=1", "cpu=4,mem=8G,node=1,billing=4,gres/gpu=1", "cpu=4,mem=8192M,node=1,billing=4,gres/gpu=1", "billing=4,cpu=4,gres/gpu=1,mem=8G,node=1"},
		{"gres/gpu:a100=2,gres/gpu=2,billing=1,node=1,mem=100,CPU=1", "cpu=1,mem=100M,node=1,billing=1,gres/gpu=2,gres/gpu:a100=2", "cpu=1,mem=100M,node=1,billing=1,gres/gpu=2,gres/gpu:a100=2", "billing=1,cpu=1,gres/gpu:a100=2,gres/gpu=2,mem=100M,node=1"},
		{"license/matlab=2,mem=64000M,cpu=16", "cpu=16,mem=62.50G,license/matlab=2", "cpu=16,mem=64000M,license/matlab=2", "cpu=16,license/matlab=2,mem=62.50G"},
		{"cpu=-1,mem=-1", "cpu=-1,mem=-1", "cpu=-1,mem=-1", "cpu=-1,mem=-1"},
		{"gres/gpu:2,cpu:1", "cpu=1,gres/gpu=2", "cpu=1,gres/gpu=2", "cpu=1,gres/gpu=2"},
		{"mem=0,energy=5,fs/disk=1,bb/x=1,zzz=1", "mem=0,energy=5,fs/disk=1,bb/x=1,zzz=1", "mem=0,energy=5,fs/disk=1,bb/x=1,zzz=1", "bb/x=1,energy=5,fs/disk=1,mem=0,zzz=1"},
	} {
		got, err := ParseTRES(c.in)
		if err != nil || got.String() != c.text || got.Raw() != c.raw || got.ByName(false) != c.byName {
			t.Errorf("ParseTRES(%q) = %s %s %s, %v; want %s %s %s", c.in, got, got.Raw(), got.ByName(false), err, c.text, c.raw, c.byName)
		}
	}
	for _, in := range []string{"cpu", "cpu=", "=4", "cpu=x", "cpu=4,", "cpu=1,cpu=2", "gres/=1", "cpu=-2", "mem=1.5G", "c pu=1"} {
		if got, err := ParseTRES(in); !errors.Is(err, ErrnoInvalidTRES) {
			t.Errorf("ParseTRES(%q) = %s, %v; want it refused", in, got, err)
		}
	}
	a, _ := ParseTRES("cpu=1,mem=100")
	b, _ := ParseTRES("cpu=2,gres/gpu=1")
	if sum := a.Plus(b); sum.String() != "cpu=3,mem=100M,gres/gpu=1" || a.String() != "cpu=1,mem=100M" {
		t.Errorf("sum %s of %s", sum, a)
	}
	if n, ok := a.Get("mem"); n != 100 || !ok {
		t.Errorf("mem is %d, %v", n, ok)
	}
}

func FuzzTRES(f *testing.F) {
	f.Add("cpu=4,mem=8G,gres/gpu:a100=2")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseTRES(s)
		if err != nil {
			return
		}
		if back, err := ParseTRES(v.Raw()); err != nil || back.Raw() != v.Raw() {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, v.Raw(), back.Raw(), err)
		}
	})
}

func TestLicenses(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "matlab": "matlab", "matlab:2": "matlab:2", "matlab@x:2": "matlab@x:2", "matlab:1,ansys": "matlab:1,ansys", "matlab:1;ansys:1": "matlab:1|ansys:1",
		"matlab|ansys": "matlab|ansys", "matlab:0": "matlab:0", "matlab,matlab": "matlab,matlab", "matlab:2,": "matlab:2", ",matlab": "matlab", "matlab;": "matlab",
	} {
		if l, err := ParseLicenses(in); err != nil || l.String() != want {
			t.Errorf("ParseLicenses(%q) = %s, %v; want %s", in, l, err, want)
		}
	}
	for _, in := range []string{"matlab=2", "matlab:-1", "matlab*2", "matlab:1k", "matlab:1:2", "matlab:x", "matlab: 2", "matlab:", ":2", "a@", "a,b;c"} {
		if l, err := ParseLicenses(in); !errors.Is(err, ErrnoInvalidLicenses) {
			t.Errorf("ParseLicenses(%q) = %s, %v; want it refused", in, l, err)
		}
	}
	a, _ := ParseLicenses("matlab:3,ansys")
	b, _ := ParseLicenses("matlab,matlab")
	if got := a.Plus(b); got.String() != "matlab:5,ansys:1" {
		t.Errorf("sum %s", got)
	}
	if got := a.Minus(b); got.Get("matlab") != 1 || got.Get("ansys") != 1 || a.Get("matlab") != 3 {
		t.Errorf("rest %s", got)
	}
}

func FuzzLicenses(f *testing.F) {
	f.Add("matlab@x:2,ansys")
	f.Add("a;b|c")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLicenses(s)
		if err != nil {
			return
		}
		if back, err := ParseLicenses(l.String()); err != nil || back.Any != l.Any || !slices.Equal(back.Items, l.Items) {
			t.Fatalf("%q prints as %s, which reads as %s, %v", s, l, back, err)
		}
	})
}
