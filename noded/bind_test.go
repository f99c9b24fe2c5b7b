package noded

import (
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/noded/taskenv"
)

// stepOf is a step's binding on a machine of two sockets with two cores of two threads,
// of which it has all or the CPUs of a list.
func stepOf(words, list string, tasks, perTask int) binding {
	b := binding{words: words, machine: machineOf(2, 2, 2), known: true, tasks: tasks, perTask: perTask}
	b.set = b.machine
	if list != "" {
		mine := readCPUs(list)
		b.set = slices.DeleteFunc(slices.Clone(b.machine), func(p cpuPlace) bool { return !slices.Contains(mine, p.id) })
	}
	b.whole = len(b.set) == len(b.machine)
	return b
}

func TestBind(t *testing.T) {
	with := func(b binding, change func(*binding)) binding { change(&b); return b }
	param := func(words ...string) func(*binding) { return func(b *binding) { b.param = words } }
	over := func(sockets, cores string) func(*binding) {
		return func(b *binding) { b.sockets, b.cores = sockets, cores }
	}
	unknown := func(b *binding) { b.known = false }
	for _, c := range []struct {
		b    binding
		want string
		kind string
	}{
		// Nobody says: what the step has as many of as its tasks have CPUs.
		{stepOf("", "", 2, 1), "0-1,4-5 2-3,6-7", "mask_cpu:0x33,0xCC"},
		{stepOf("", "", 4, 1), "0,4 2,6 1,5 3,7", "mask_cpu:0x11,0x44,0x22,0x88"},
		{stepOf("", "", 8, 1), "0 2 1 3 4 6 5 7", "mask_cpu:0x01,0x04,0x02,0x08,0x10,0x40,0x20,0x80"},
		{stepOf("", "", 2, 2), "0,4 2,6", "mask_cpu:0x11,0x44"},
		{stepOf("", "", 3, 1), "0-7 0-7 0-7", "mask_cpu:0xFF"},
		{stepOf("", "0,4", 1, 1), "0,4", "mask_cpu:0x11"},
		{stepOf("", "0", 1, 1), "0", "mask_cpu:0x01"},
		{stepOf("", "0", 2, 1), "0 0", "mask_cpu:0x01"},
		{stepOf("verbose", "0-1", 2, 1), "0 1", "mask_cpu:0x01,0x02"},
		{with(stepOf("", "", 3, 1), param("autobind=threads")), "0 2 1", "mask_cpu:0x01,0x04,0x02"},
		{with(stepOf("", "", 2, 1), param("none")), " ", "none"},
		{with(stepOf("", "0-1", 2, 1), param("none")), "0-1 0-1", "mask_cpu:0x03"},
		{with(stepOf("", "", 3, 1), param("verbose", "sockets")), "0-1,4-5 2-3,6-7 0-1,4-5", "mask_cpu:0x33,0xCC,0x33"},
		{with(stepOf("cores", "", 3, 1), param("sockets")), "0,4 2,6 1,5", "mask_cpu:0x11,0x44,0x22"},
		// Somebody does.
		{stepOf("none", "", 2, 1), " ", "none"},
		{stepOf("none", "0,4", 2, 1), "0,4 0,4", "mask_cpu:0x11"},
		{stepOf("threads", "", 3, 1), "0 2 1", "mask_cpu:0x01,0x04,0x02"},
		{stepOf("verbose,cores", "", 2, 1), "0,4 2,6", "mask_cpu:0x11,0x44"},
		{stepOf("cores", "", 2, 2), "0,4 2,6", "mask_cpu:0x11,0x44"},
		{stepOf("cores", "", 2, 3), "0-1,4-5 2-3,6-7", "mask_cpu:0x33,0xCC"},
		{stepOf("cores", "", 5, 1), "0,4 2,6 1,5 3,7 0,4", "mask_cpu:0x11,0x44,0x22,0x88,0x11"},
		{stepOf("sockets", "0-1,4-5", 2, 1), "0-1,4-5 0-1,4-5", "mask_cpu:0x33,0x33"},
		{stepOf("ldoms", "", 2, 4), "0-1,4-5 2-3,6-7", "mask_cpu:0x33,0xCC"},
		{stepOf("rank", "", 2, 1), "0 1", "rank"},
		{stepOf("rank_ldom", "", 3, 1), "0-1,4-5 2-3,6-7 0-1,4-5", "rank_ldom"},
		// The distribution over sockets, and over the cores of one.
		{with(stepOf("threads", "", 4, 1), over("block", "")), "0 4 1 5", "mask_cpu:0x01,0x10,0x02,0x20"},
		{with(stepOf("threads", "", 4, 1), over("block", "cyclic")), "0 1 4 5", "mask_cpu:0x01,0x02,0x10,0x20"},
		{with(stepOf("cores", "", 3, 1), over("block", "")), "0,4 1,5 2,6", "mask_cpu:0x11,0x22,0x44"},
		{with(stepOf("threads", "", 2, 2), over("fcyclic", "")), "0,2 1,3", "mask_cpu:0x05,0x0A"},
		{with(stepOf("threads", "", 2, 3), over("block", "")), "0-1,4 2,5-6", "mask_cpu:0x13,0x64"},
		{with(stepOf("threads", "", 2, 3), over("cyclic", "")), "0-1,4 2-3,6", "mask_cpu:0x13,0x4C"},
		// Lists.
		{stepOf("map_cpu:3,0x2", "", 3, 1), "3 2 3", "map_cpu:3,0x2"},
		{stepOf("quiet,mask_cpu:0x3,f0", "", 2, 1), "0-1 4-7", "mask_cpu:3,f0"},
		{stepOf("map_cpu:1*2,3", "", 4, 1), "1 1 3 1", "map_cpu:1*2,3"},
		{stepOf("map_ldom:1", "", 2, 1), "2-3,6-7 2-3,6-7", "map_ldom:1"},
		{stepOf("mask_ldom:0x3", "0-3", 1, 1), "0-3", "mask_ldom:3"},
		// It is not known which CPUs are the step's own.
		{with(stepOf("", "", 2, 1), unknown), " ", ""},
		{with(stepOf("cores", "", 2, 1), unknown), " ", ""},
		{with(stepOf("map_cpu:1,99", "", 2, 1), unknown), "1 ", "map_cpu:1,99"},
	} {
		got, err := c.b.bind()
		if err != nil || strings.Join(got.cpus, " ") != c.want || got.kind+got.list != c.kind {
			t.Errorf("%q, %d of %d CPUs, param %q, %s:%s: %q as %q, %v; want %q as %q", c.b.words, c.b.tasks, c.b.perTask, c.b.param, c.b.sockets, c.b.cores,
				strings.Join(got.cpus, " "), got.kind+got.list, err, c.want, c.kind)
		}
	}
	for words, want := range map[string]string{
		"map_cpu:x": "is not the number of a CPU", "mask_cpu:0x0": "is not a mask", "mask_cpu:-1": "is not a mask", "map_cpu:1,,2": "is not the number",
		"map_cpu:0,2": "Unable to satisfy cpu bind request", "mask_cpu:0x5": "Unable to satisfy cpu bind request",
	} {
		if got, err := stepOf(words, "0-1", 3, 1).bind(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want %q", words, got.cpus, err, want)
		}
	}
}

// TestBindTells holds what is told of a binding to what a real Slurm says.
func TestBindTells(t *testing.T) {
	b := binding{words: "verbose,cores", machine: machineOf(1, 2, 1), set: machineOf(1, 2, 1), whole: true, known: true, tasks: 2, perTask: 1}
	got, err := b.bind()
	if err != nil {
		t.Fatal(err)
	}
	env := taskenv.New(nil)
	got.tell(env)
	if s := env.Get("SLURM_CPU_BIND") + "|" + env.Get("SLURM_CPU_BIND_TYPE") + "|" + env.Get("SLURM_CPU_BIND_LIST") + "|" + env.Get("SLURM_CPU_BIND_VERBOSE"); s != "verbose,mask_cpu:0x1,0x2|mask_cpu:|0x1,0x2|verbose" {
		t.Error(s)
	}
}
