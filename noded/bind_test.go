package noded

import (
	"slices"
	"testing"
)

func TestBindTasks(t *testing.T) {
	for _, c := range []struct {
		words   string
		known   bool
		tasks   int
		perTask int
		want    []string
	}{
		{"", true, 2, 1, []string{"", ""}},
		{"none", true, 2, 1, []string{"", ""}},
		{"threads", true, 3, 1, []string{"0", "4", "1"}},
		{"verbose,cores", true, 2, 1, []string{"0,4", "0,4"}},
		{"cores", true, 2, 2, []string{"0,4", "1,5"}},
		{"sockets", true, 2, 4, []string{"0-1,4-5", "2-3,6-7"}},
		{"cores", false, 2, 2, []string{"", ""}},
		{"rank", true, 2, 1, []string{"0", "1"}},
		{"map_cpu:3,0x2", false, 3, 1, []string{"3", "2", "3"}},
		{"quiet,mask_cpu:0x3,f0", true, 2, 1, []string{"0-1", "4-7"}},
		{"map_cpu:1*2,3", true, 4, 1, []string{"1", "1", "3", "1"}},
		{"map_cpu:99", true, 1, 1, []string{""}},
	} {
		got, err := bindTasks(c.words, machineOf(2, 2, 2), c.known, c.tasks, c.perTask)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	for _, words := range []string{"map_cpu:x", "mask_cpu:0x0", "mask_cpu:-1", "map_cpu:1,,2"} {
		if got, err := bindTasks(words, machineOf(1, 4, 1), true, 3, 1); err == nil {
			t.Errorf("%s: %q", words, got)
		}
	}
}
