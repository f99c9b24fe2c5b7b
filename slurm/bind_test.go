package slurm

import (
	"errors"
	"strings"
	"testing"
)

// checks runs a parser that returns the canonical form over what it takes and
// what it refuses.
func checks(t *testing.T, name string, parse func(string) (string, error), takes map[string]string, refuses ...string) {
	t.Helper()
	for in, want := range takes {
		got, err := parse(in)
		if err != nil || got != want {
			t.Errorf("%s(%q) = %q, %v; want %q", name, in, got, err, want)
		}
		if again, err := parse(got); err != nil || again != got {
			t.Errorf("%s(%q) = %q, %v: it does not keep its own form", name, got, again, err)
		}
	}
	for _, in := range refuses {
		if got, err := parse(in); err == nil {
			t.Errorf("%s(%q) = %q, want it refused", name, in, got)
		}
	}
}

func TestParseDistribution(t *testing.T) {
	checks(t, "ParseDistribution", ParseDistribution, map[string]string{
		"block": "block", "cyclic": "cyclic", "Block": "block", "plane=4": "plane=4", "PLANE=4,nopack": "plane=4,NoPack", "arbitrary": "arbitrary", "*": "*", "block:block": "block:block",
		"block:cyclic:fcyclic": "block:cyclic:fcyclic", "*:*": "*", "block:*": "block", "block:*:*": "block", "block::cyclic": "block:*:cyclic", ":block": "*:block", "block:": "block",
		"block,Pack": "block,Pack", "block,nopack": "block,NoPack", "Pack": "Pack", "nopack": "NoPack", "cyclic,": "cyclic", "*,pack": "Pack", "block:block:cyclic,NoPack": "block:block:cyclic,NoPack",
	}, "", "sideways", "plane", "plane=0", "plane=x", "plane=2:block", "fcyclic", "block:arbitrary", "block,Pack,NoPack", "blo", "block:plane=2", "a:b:c:d", "block:block:block:block", ",Pack", "block,x")
	d, err := ReadDistribution("plane=4,Pack")
	if err != nil || d != (Distribution{Nodes: "plane", Plane: 4, Pack: "Pack"}) {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := ReadDistribution("x"); !errors.Is(err, ErrnoBadDist) {
		t.Errorf("x: %v", err)
	}
}

func TestParseBindings(t *testing.T) {
	checks(t, "ParseCPUBind", ParseCPUBind, map[string]string{
		"quiet": "quiet", "q": "quiet", "v": "verbose", "none": "none", "no": "none", "verbose,none": "verbose,none", "rank": "rank", "map_cpu:0,1": "map_cpu:0,1",
		"mask_cpu:0x3,0x1": "mask_cpu:0x3,0x1", "rank_ldom": "rank_ldom", "map_ldom:1": "map_ldom:1", "mask_ldom:1": "mask_ldom:1", "socket": "sockets", "core": "cores",
		"Cores": "cores", "threads": "threads", "ldom": "ldoms", "q,cores": "quiet,cores", "quiet,verbose,cores": "verbose,cores", "cores,quiet": "quiet,cores", "cores,threads": "threads",
		"map_cpu:0*4,1": "map_cpu:0*4,1", "cores,map_cpu:1": "map_cpu:1", "mask_cpu:F,1": "mask_cpu:f,1", "map_cpu:0,1,verbose": "verbose,map_cpu:0,1",
	}, "", "boards", "map_cpu", "map_cpu:", "map_cpu:x", "mask_cpu:zz", "bogus", "auto", "cores,", "map_cpu:0,,1", "map_cpu:0*0", "map_cpu:1,0y", "cores:1")
	checks(t, "ParseMemBind", ParseMemBind, map[string]string{
		"none": "none", "local": "local", "rank": "rank", "NONE": "none", "q,local": "quiet,local", "map_mem:0,1": "map_mem:0,1", "mask_mem:0x1": "mask_mem:0x1", "prefer": "prefer", "p": "prefer",
		"local,prefer": "prefer,local", "sort,local": "sort,local", "nosort,v,rank": "verbose,nosort,rank",
	}, "", "bogus", "map_mem", "mask_mem:zz", "cores")
	checks(t, "ParseGPUBind", ParseGPUBind, map[string]string{
		"none": "none", "closest": "closest", "Closest": "closest", "single:2": "single:2", "per_task:1": "per_task:1", "map_gpu:0,1": "map_gpu:0,1", "mask_gpu:0x1,f": "mask_gpu:0x1,f",
		"verbose,closest": "verbose,closest", "map_gpu:0*2": "map_gpu:0*2",
	}, "", "single", "single:0", "single:x", "bogus", "map_gpu:a", "map_gpu:", "v,none", "none:1", "verbose")
	checks(t, "ParseHint", ParseHint, map[string]string{"compute_bound": "compute_bound", "Multithread": "multithread", "nomultithread,memory_bound": "nomultithread,memory_bound"}, "", "x", "multithread,")
}

func TestParseMailTypes(t *testing.T) {
	joined := func(s string) (string, error) {
		list, err := ParseMailTypes(s)
		return strings.Join(list, ","), err
	}
	checks(t, "ParseMailTypes", joined, map[string]string{
		"": "", "NONE": "", "begin": "BEGIN", "END,BEGIN": "BEGIN,END", "NONE,BEGIN": "", "BEGIN,NONE": "", "END,,FAIL": "END,FAIL", "END,": "END", "end, fail": "END,FAIL",
		"ALL": "INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT", "ALL,ARRAY_TASKS": "ARRAY_TASKS,INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT",
		"BEGIN,TIME_LIMIT_80,ARRAY_TASKS": "ARRAY_TASKS,BEGIN,TIME_LIMIT_80", "TIME_LIMIT_50,TIME_LIMIT_90,TIME_LIMIT,END,END": "END,TIME_LIMIT_50,TIME_LIMIT_90,TIME_LIMIT",
	}, "SOMETIMES", "END FAIL", "ALL,x")
}

func FuzzBindings(f *testing.F) {
	for _, s := range []string{"quiet,mask_cpu:0x3,f*2,v", "verbose,single:2", "prefer,map_mem:1", "block:cyclic,Pack", "multithread"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(string) (string, error){
			"cpu": ParseCPUBind, "mem": ParseMemBind, "gpu": ParseGPUBind, "hint": ParseHint, "distribution": ParseDistribution,
		} {
			v, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := parse(v); err != nil || again != v {
				t.Fatalf("%s: %q becomes %q, which becomes %q, %v", name, s, v, again, err)
			}
		}
	})
}
