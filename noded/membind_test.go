package noded

import (
	"fmt"
	"testing"
)

func TestBindMemory(t *testing.T) {
	var machine []cpuPlace // two nodes of two CPUs
	for id := range 4 {
		machine = append(machine, cpuPlace{id: id, core: id, socket: id / 2, node: id / 2})
	}
	cpus := [][]int{{0}, {2, 3}, {1, 2}}
	for _, c := range []struct{ words, want string }{
		{"", "[{ false} { false} { false}]"},
		{"none", "[{ false} { false} { false}]"},
		{"local", "[{0 false} {1 false} {0-1 false}]"},
		{"verbose,prefer,local", "[{0 true} {1 true} {0-1 true}]"},
		{"rank", "[{0 false} {1 false} {0 false}]"},
		{"map_mem:1,0", "[{1 false} {0 false} {1 false}]"},
		{"map_mem:7", "[{ false} { false} { false}]"},
		{"prefer,mask_mem:0x2,3", "[{1 true} {0-1 true} {1 true}]"},
	} {
		if got := fmt.Sprint(bindMemory(c.words, machine, cpus)); got != c.want {
			t.Errorf("%q: %s, want %s", c.words, got, c.want)
		}
	}
	if got := bindMemory("local", []cpuPlace{{id: 0, node: -1}}, [][]int{{0}}); got[0] != (memoryBind{}) {
		t.Errorf("of a machine that tells of no nodes: %v", got)
	}
}
